-- title: Grants and deductions are whole and above 0, use is whole and at least 0
-- severity: critical
-- stages: as-found, view, unify, retired
-- why: The direction comes from the action type; a sign in the size turns a grant into a charge, as it did before.
-- fix: Find the writer that still uses the old sign convention; correct the row in a reviewed migration.
-- unit: tokens
-- population: select count(*) from public.token_usage
select
  'token_usage' as subject_type,
  u.id::text as subject_id,
  format('%s of %s tokens', u.action_type, u.tokens_used) as detail,
  greatest(abs(trunc(u.tokens_used::numeric)), case when u.action_type in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase') then 1 else 0 end) as expected,
  u.tokens_used::numeric as actual,
  u.created_at as occurred_at,
  u.user_id
from public.token_usage as u
where u.tokens_used < case when u.action_type in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase') then 1 else 0 end
   or u.tokens_used % 1 <> 0
