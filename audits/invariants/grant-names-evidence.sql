-- title: Every grant since unify names the fact behind it
-- severity: major
-- stages: unify, retired
-- why: A caller granted without saying for what, so a repetition can't be told from a second purchase.
-- fix: Find the caller (subscription and time are in the row) and let it pass its evidence; then correct the row's key.
-- unit: tokens
-- population: select count(*) from public.token_usage
select
  'token_usage' as subject_type,
  u.id::text as subject_id,
  u.action_type || ' granted without evidence' as detail,
  0::numeric as expected,
  u.tokens_used::numeric as actual,
  u.created_at as occurred_at,
  u.user_id
from public.token_usage as u
where u.grant_key like 'legacy:%'
  and u.grant_key not like '%:reset'
  and u.created_at > (select s.applied_at from public.token_ledger_stage as s where s.stage = 'unify')
