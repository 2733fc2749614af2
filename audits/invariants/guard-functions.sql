-- title: Every ledger function is there, runs as its owner with a pinned search_path, and only for the service
-- severity: critical
-- stages: unify, retired
-- why: A grant function that anyone may execute mints tokens; without a pinned search_path the caller chooses what it writes to.
-- fix: Run unify again: it drops and makes the functions anew, with their privileges.
-- unit: guards
-- population: select count(*) from pg_catalog.pg_proc where pronamespace = 'public'::regnamespace
with wanted (name, for_service) as (
  values
    ('grant_annual_tokens', true), ('grant_trial_tokens', true), ('drip_tokens_28day', true), ('grant_token_pack', true),
    ('adjust_tokens', true), ('record_token_usage', true), ('token_ledger_lock', false),
    ('token_ledger_first_result', false), ('token_ledger_append', false), ('token_ledger_subscription', false),
    ('token_ledger_write_legacy', false)
),
found as (
  select w.name, w.for_service, p.oid, p.proacl, p.proowner, p.prosecdef, p.proconfig
  from wanted as w
  left join pg_catalog.pg_proc as p on p.proname = w.name and p.pronamespace = 'public'::regnamespace
),
judged as (
  select
    f.name,
    case
      when f.oid is null then 'missing'
      when f.for_service and not f.prosecdef then 'not SECURITY DEFINER'
      when not exists (select from unnest(f.proconfig) as s where s like 'search_path=%') then 'search_path is not pinned'
      when exists (
        select from aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as x
        where x.privilege_type = 'EXECUTE' and x.grantee <> f.proowner
          and not (f.for_service and exists (
            select from pg_catalog.pg_roles as r where r.oid = x.grantee and r.rolname = 'service_role'))
      ) then 'EXECUTE is open to others than service_role'
      when f.for_service and not exists (
        select from pg_catalog.pg_roles as r
        where r.rolname = 'service_role' and has_function_privilege(r.oid, f.oid, 'EXECUTE')
      ) then 'service_role may not execute it'
    end as fault
  from found as f
)
select
  'function' as subject_type,
  j.name as subject_id,
  j.fault as detail,
  1::numeric as expected,
  0::numeric as actual,
  null::timestamptz as occurred_at
from judged as j
where j.fault is not null
