-- title: The legacy tables are written by the ledger's functions alone
-- severity: major
-- stages: unify
-- why: A writer that still reaches token_transactions or token_drips itself splits the ledger again.
-- fix: Revoke insert, update, delete, truncate on the table from the role.
-- unit: guards
-- population: select count(*) from pg_catalog.pg_class where oid in ('public.token_transactions'::regclass, 'public.token_drips'::regclass)
with legacy as (
  select c.oid, c.relname, c.relacl, c.relowner
  from pg_catalog.pg_class as c
  where c.oid in ('public.token_transactions'::regclass, 'public.token_drips'::regclass)
),
-- A privilege on single columns counts too.
open_to as (
  select l.relname, x.privilege_type as privilege, coalesce(r.rolname::text, 'PUBLIC') as who
  from legacy as l
  cross join lateral aclexplode(l.relacl) as x
  left join pg_catalog.pg_roles as r on r.oid = x.grantee
  where x.grantee <> l.relowner
  union
  select l.relname, x.privilege_type, coalesce(r.rolname::text, 'PUBLIC')
  from legacy as l
  join pg_catalog.pg_attribute as a on a.attrelid = l.oid
  cross join lateral aclexplode(a.attacl) as x
  left join pg_catalog.pg_roles as r on r.oid = x.grantee
  where x.grantee <> l.relowner
)
select
  'privilege' as subject_type,
  format('%s on %s for %s', o.privilege, o.relname, o.who) as subject_id,
  'a privilege that lets others than the functions write a legacy table' as detail,
  0::numeric as expected,
  1::numeric as actual,
  null::timestamptz as occurred_at
from open_to as o
where o.privilege in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
