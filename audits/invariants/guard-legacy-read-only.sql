-- title: The legacy tables are written by the ledger's functions alone
-- severity: major
-- stages: unify
-- why: A writer that still reaches token_transactions or token_drips itself splits the ledger again.
-- fix: Revoke insert, update, delete, truncate on the table from the role.
-- unit: guards
-- population: select count(*) from pg_catalog.pg_class where oid in ('public.token_transactions'::regclass, 'public.token_drips'::regclass)
select
  'privilege' as subject_type,
  format('%s on %s for %s', x.privilege_type, c.relname, coalesce(r.rolname, 'PUBLIC')) as subject_id,
  'a privilege that lets others than the functions write a legacy table' as detail,
  0::numeric as expected,
  1::numeric as actual,
  null::timestamptz as occurred_at
from pg_catalog.pg_class as c
cross join lateral aclexplode(c.relacl) as x
left join pg_catalog.pg_roles as r on r.oid = x.grantee
where c.oid in ('public.token_transactions'::regclass, 'public.token_drips'::regclass)
  and x.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
  and x.grantee <> c.relowner
