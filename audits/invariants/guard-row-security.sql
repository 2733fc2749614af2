-- title: Row-level security is on for every table of the ledger
-- severity: critical
-- stages: as-found, view, unify, retired
-- why: The API roles have table privileges by default: without RLS anyone may read and write the table.
-- fix: alter table … enable row level security.
-- unit: guards
-- population: select count(*) from pg_catalog.pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
select
  'table' as subject_type,
  c.relname::text as subject_id,
  'row-level security is off' as detail,
  1::numeric as expected,
  0::numeric as actual,
  null::timestamptz as occurred_at
from pg_catalog.pg_class as c
where c.relnamespace = 'public'::regnamespace
  and c.relkind in ('r', 'p')
  and c.relname in (
    'token_usage', 'token_transactions', 'token_drips', 'user_profiles', 'customer_subscriptions', 'payment_history',
    'token_ledger_stage')
  and not c.relrowsecurity
