-- title: Users may not write token_usage
-- severity: critical
-- stages: unify, retired
-- why: Whoever may insert a row may grant himself tokens.
-- fix: Drop the policy, and revoke insert, update, delete, truncate on public.token_usage from the role.
-- unit: guards
-- population: select count(*) from pg_catalog.pg_class where oid = 'public.token_usage'::regclass
select
  'privilege' as subject_type,
  format('%s on token_usage for %s', x.privilege_type, coalesce(r.rolname, 'PUBLIC')) as subject_id,
  'a table privilege that lets users write the ledger' as detail,
  0::numeric as expected,
  1::numeric as actual,
  null::timestamptz as occurred_at
from pg_catalog.pg_class as c
cross join lateral aclexplode(c.relacl) as x
left join pg_catalog.pg_roles as r on r.oid = x.grantee
where c.oid = 'public.token_usage'::regclass
  and x.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')
  and coalesce(r.rolname, 'PUBLIC') in ('PUBLIC', 'anon', 'authenticated')
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
