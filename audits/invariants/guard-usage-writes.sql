-- title: Users may not write token_usage
-- severity: critical
-- stages: unify, retired
-- why: Whoever may insert a row may grant himself tokens.
-- fix: Drop the policy, and revoke insert, update, delete, truncate on public.token_usage from the role.
-- unit: guards
-- population: select count(*) from pg_catalog.pg_class where oid = 'public.token_usage'::regclass
with usage as (
  select c.oid, c.relacl from pg_catalog.pg_class as c where c.oid = 'public.token_usage'::regclass
),
-- A privilege on single columns counts too; what PUBLIC may do, each role may do.
open_to as (
  select x.privilege_type as privilege, 'PUBLIC' as who
  from usage as u, aclexplode(u.relacl) as x
  where x.grantee = 0
  union
  select p.privilege, r.rolname::text
  from usage as u
  cross join (values ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE')) as p (privilege)
  join pg_catalog.pg_roles as r on r.rolname in ('anon', 'authenticated')
  where case when p.privilege in ('INSERT', 'UPDATE')
    then has_any_column_privilege(r.oid, u.oid, p.privilege) else has_table_privilege(r.oid, u.oid, p.privilege) end
)
select
  'privilege' as subject_type,
  format('%s on token_usage for %s', o.privilege, o.who) as subject_id,
  'a privilege that lets users write the ledger' as detail,
  0::numeric as expected,
  1::numeric as actual,
  null::timestamptz as occurred_at
from open_to as o
where o.privilege in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
union all
select
  'policy',
  p.polname::text,
  'a policy that lets users write the ledger',
  0,
  1,
  null
from pg_catalog.pg_policy as p
where p.polrelid = 'public.token_usage'::regclass
  and p.polpermissive
  and p.polcmd <> 'r'
  and (p.polroles @> array[0::oid]
       or exists (select from pg_catalog.pg_roles as r where r.oid = any (p.polroles) and r.rolname in ('anon', 'authenticated')))
