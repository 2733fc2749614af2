-- title: AI use or a deduction beyond the balance
-- severity: minor
-- stages: unify, retired
-- why: It is recorded in full and the balance stops at 0: the difference was given away.
-- fix: Look at who overdraws and how often; the app may check the balance before it starts the work.
-- unit: tokens
-- population: select count(*) from public.token_usage
select
  'token_usage' as subject_type,
  u.id::text as subject_id,
  u.action_type || ' beyond the balance' as detail,
  u.balance_before::numeric as expected,
  u.tokens_used::numeric as actual,
  u.created_at as occurred_at,
  u.user_id
from public.token_usage as u
where u.tokens_used > u.balance_before
  and u.success
  and u.action_type not in ('admin_grant', 'subscription_grant', 'trial_grant', 'token_pack_purchase')
