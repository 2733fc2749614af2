-- title: The balance of every user is the sum of the user's ledger
-- severity: critical
-- stages: unify, retired
-- why: A difference means that tokens moved without a row, or a row without moving tokens.
-- fix: npm run migrate -- differences lists the users with likely causes; find the writer that skipped the ledger first.
-- unit: tokens
-- population: select (select count(*) from public.token_usage) + (select count(*) from public.user_profiles)
with ledger as (
  select
    u.user_id,
    sum(coalesce(
      u.balance_after - u.balance_before,
      case
        when not u.success then 0
        when u.action_type in ('admin_grant', 'subscription_grant', 'trial_grant', 'token_pack_purchase') then u.tokens_used
        else -u.tokens_used
      end)) as total,
    max(u.created_at) as last_at
  from public.token_usage as u
  group by u.user_id
),
profiles as (
  select p.user_id, coalesce(p.vibe_assistant_tokens_remaining, 0) as balance, p.updated_at
  from public.user_profiles as p
  where p.is_active and not p.is_draft
)
select
  'user' as subject_type,
  coalesce(p.user_id, l.user_id)::text as subject_id,
  case
    when p.user_id is null then 'ledger rows, but no active profile'
    when l.user_id is null then 'a balance, but no ledger rows'
    else 'the balance differs from the sum of the ledger'
  end as detail,
  coalesce(l.total, 0)::numeric as expected,
  coalesce(p.balance, 0)::numeric as actual,
  coalesce(l.last_at, p.updated_at) as occurred_at
from profiles as p
full join ledger as l on l.user_id = p.user_id
where coalesce(p.balance, 0) <> coalesce(l.total, 0)
