-- title: Every row has an action type that the table's CHECK knows
-- severity: critical
-- stages: as-found, view, unify, retired
-- why: An unknown type has no direction; and the app's next insert of a type that the CHECK lost is refused and only logged.
-- fix: Put the dropped value back into token_usage_action_type_check (NOT VALID, then VALIDATE).
-- unit: rows
-- population: select count(*) from public.token_usage
with known as (
  select array_agg(v) as types
  from pg_catalog.pg_constraint as c
  cross join lateral regexp_matches(pg_get_constraintdef(c.oid), '''((?:[^'']|'''')*)''', 'g') as m
  cross join lateral unnest(case when m[1] like '{%}' then m[1]::text[] else array[m[1]] end) as v
  where c.conrelid = 'public.token_usage'::regclass and c.conname = 'token_usage_action_type_check'
)
select
  'token_usage' as subject_type,
  u.id::text as subject_id,
  format('unknown action type %L', u.action_type) as detail,
  0::numeric as expected,
  u.tokens_used::numeric as actual,
  u.created_at as occurred_at,
  u.user_id
from public.token_usage as u
cross join known
where u.action_type is null or u.action_type <> all (known.types)
