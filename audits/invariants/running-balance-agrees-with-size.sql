-- title: The balances of a row move by its size
-- severity: critical
-- stages: unify, retired
-- why: The size says one thing and the balance did another: one of them lies to the user.
-- fix: Compare with the evidence that the row names; correct by an admin request that says why.
-- unit: tokens
-- population: select count(*) from public.token_usage
select
  'token_usage' as subject_type,
  u.id::text as subject_id,
  case
    when num_nonnulls(u.balance_before, u.balance_after) = 1 then 'only one of the two balances'
    when u.balance_before < 0 or u.balance_after < 0 then 'a negative balance'
    else u.action_type || ' moved the balance by another number than its size'
  end as detail,
  case
    when not u.success then coalesce(u.balance_before, 0)
    when u.action_type in ('admin_grant', 'subscription_grant', 'trial_grant', 'token_pack_purchase') then coalesce(u.balance_before, 0) + u.tokens_used
    else greatest(coalesce(u.balance_before, 0) - u.tokens_used, 0)
  end::numeric as expected,
  coalesce(u.balance_after, 0)::numeric as actual,
  u.created_at as occurred_at,
  u.user_id
from public.token_usage as u
where num_nonnulls(u.balance_before, u.balance_after) > 0
  and (u.balance_before < 0 or u.balance_after is distinct from
    case
      when not u.success then u.balance_before
      when u.action_type in ('admin_grant', 'subscription_grant', 'trial_grant', 'token_pack_purchase') then u.balance_before + u.tokens_used
      else greatest(u.balance_before - u.tokens_used, 0)
    end)
