-- title: No ledger function has an overload
-- severity: critical
-- stages: as-found, view, unify, retired
-- why: create or replace with other arguments adds a second function beside the first, and callers may still reach the old one.
-- fix: Drop the old one by its signature.
-- unit: guards
-- population: select count(*) from pg_catalog.pg_proc where pronamespace = 'public'::regnamespace
select
  'function' as subject_type,
  p.proname::text as subject_id,
  string_agg(format('%s(%s)', p.proname, pg_get_function_identity_arguments(p.oid)), ', ' order by p.oid) as detail,
  1::numeric as expected,
  count(*)::numeric as actual,
  null::timestamptz as occurred_at
from pg_catalog.pg_proc as p
where p.pronamespace = 'public'::regnamespace
  and p.proname in (
    'grant_annual_tokens', 'grant_trial_tokens', 'drip_tokens_28day', 'grant_token_pack', 'adjust_tokens',
    'record_token_usage', 'token_ledger_lock', 'token_ledger_first_result', 'token_ledger_append',
    'token_ledger_subscription', 'token_ledger_write_legacy')
group by p.proname
having count(*) > 1
