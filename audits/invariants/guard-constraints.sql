-- title: The constraints that hold the shape of the ledger are there and validated
-- severity: critical
-- stages: unify, retired
-- why: They refuse a wrong row when it is written; the audit only finds it the next morning.
-- fix: Run unify again: it adds and validates what is missing.
-- unit: guards
-- population: select count(*) from pg_catalog.pg_constraint where conrelid = 'public.token_usage'::regclass
with wanted (name) as (
  values
    ('token_usage_grant_key_needed'), ('token_usage_grant_key_shape'), ('token_usage_reset_deducts'),
    ('token_usage_size'), ('token_usage_balances_paired'), ('token_usage_balances_agree')
)
select
  'constraint' as subject_type,
  w.name as subject_id,
  'missing, or not validated' as detail,
  1::numeric as expected,
  0::numeric as actual,
  null::timestamptz as occurred_at
from wanted as w
where not exists (
  select
  from pg_catalog.pg_constraint as c
  where c.conrelid = 'public.token_usage'::regclass and c.conname = w.name and c.contype = 'c' and c.convalidated)
