-- title: No row is later than the database's own time
-- severity: major
-- stages: as-found, view, unify, retired
-- why: A row from the future sorts after every row to come, so the running balance and the order of rows are lost.
-- fix: Find the writer with the wrong clock or the hand edit; rows are stamped by the database.
-- unit: rows
-- population: select count(*) from public.token_usage
select
  'token_usage' as subject_type,
  u.id::text as subject_id,
  u.action_type || ' dated later than the database it is in' as detail,
  0::numeric as expected,
  1::numeric as actual,
  u.created_at as occurred_at,
  u.user_id
from public.token_usage as u
where u.created_at > current_setting('audit.as_of')::timestamptz
