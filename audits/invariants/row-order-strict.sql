-- title: No two rows of a user since unify have the same time
-- severity: major
-- stages: unify, retired
-- why: The order of a user's rows is the order of created_at; with equal times nobody can tell which came first.
-- fix: Find the writer that does not stamp rows under the profile's lock.
-- unit: rows
-- population: select count(*) from public.token_usage
select
  'user' as subject_type,
  u.user_id::text as subject_id,
  format('%s rows at %s', count(*), u.created_at) as detail,
  1::numeric as expected,
  count(*)::numeric as actual,
  u.created_at as occurred_at
from public.token_usage as u
where u.created_at > (select s.applied_at from public.token_ledger_stage as s where s.stage = 'unify')
group by u.user_id, u.created_at
having count(*) > 1
