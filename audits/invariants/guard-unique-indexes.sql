-- title: The unique indexes that hold one fact to one row are there, valid and whole
-- severity: critical
-- stages: unify, retired
-- why: Without them every other safeguard against doubled grants is only good will.
-- fix: Mend duplicates first, then create unique index concurrently token_usage_grant_key on public.token_usage (grant_key).
-- unit: guards
-- population: select count(*) from pg_catalog.pg_index where indrelid = 'public.token_usage'::regclass
with wanted (name, definition) as (
  values
    ('grant_key', '(grant_key)'),
    ('legacy row', '(((metadata ->> ''legacy_table''::text)), ((metadata ->> ''legacy_id''::text)))')
)
select
  'index' as subject_type,
  'token_usage ' || w.name as subject_id,
  'no valid, whole unique index on ' || w.definition as detail,
  1::numeric as expected,
  0::numeric as actual,
  null::timestamptz as occurred_at
from wanted as w
where not exists (
  select
  from pg_catalog.pg_index as i
  where i.indrelid = 'public.token_usage'::regclass
    and i.indisunique and i.indisvalid and i.indisready and i.indimmediate and i.indpred is null
    and not i.indnullsnotdistinct
    and replace(pg_get_indexdef(i.indexrelid), 'public.', '') like '%USING btree ' || w.definition)
