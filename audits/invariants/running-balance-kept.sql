-- title: Every row since unify carries its balances
-- severity: critical
-- stages: unify, retired
-- why: A row without balances was written past the ledger's functions, so nothing ties it to the balance.
-- fix: Find the caller that inserts into token_usage itself, and let it call record_token_usage or a grant function.
-- unit: rows
-- population: select count(*) from public.token_usage
select
  'token_usage' as subject_type,
  u.id::text as subject_id,
  u.action_type || ' without balances, written after unify' as detail,
  2::numeric as expected,
  num_nonnulls(u.balance_before, u.balance_after)::numeric as actual,
  u.created_at as occurred_at,
  u.user_id
from public.token_usage as u
where (u.balance_before is null or u.balance_after is null)
  and u.created_at > (select s.applied_at from public.token_ledger_stage as s where s.stage = 'unify')
