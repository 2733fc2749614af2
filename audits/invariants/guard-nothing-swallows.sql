-- title: No trigger or rule can swallow or change a ledger row
-- severity: critical
-- stages: as-found, view, unify, retired
-- why: A row trigger that runs before the write may return nothing, and a rule may do something else: no error, no row.
-- fix: Drop the trigger or rule; what it does belongs into the ledger's functions.
-- unit: guards
-- population: select count(*) from pg_catalog.pg_class where oid = 'public.token_usage'::regclass
with ledger as (
  select c.oid, c.relname
  from pg_catalog.pg_class as c
  where c.relnamespace = 'public'::regnamespace and c.relname in ('token_usage', 'token_transactions', 'token_drips')
)
select
  'trigger' as subject_type,
  format('%s on %s', t.tgname, l.relname) as subject_id,
  'a row trigger that runs before the write' as detail,
  0::numeric as expected,
  1::numeric as actual,
  null::timestamptz as occurred_at
from pg_catalog.pg_trigger as t
join ledger as l on l.oid = t.tgrelid
-- Bits 1 and 2 of tgtype: for each row, before.
where not t.tgisinternal and t.tgenabled <> 'D' and t.tgtype & 3 = 3
union all
select
  'rule',
  format('%s on %s', r.rulename, l.relname),
  'a rule that rewrites writes',
  0,
  1,
  null
from pg_catalog.pg_rewrite as r
join ledger as l on l.oid = r.ev_class
where r.ev_enabled <> 'D'
