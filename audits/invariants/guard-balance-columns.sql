-- title: Users may not write the balance columns of their profile
-- severity: critical
-- stages: unify, retired
-- why: RLS lets users update their own row; the balance must not be a part of it.
-- fix: Revoke insert, update on public.user_profiles from the role, and grant the app's other columns by name.
-- unit: guards
-- population: select count(*) from pg_catalog.pg_class where oid = 'public.user_profiles'::regclass
select
  'privilege' as subject_type,
  format('%s on user_profiles.%s for %s', p.privilege, c.name, r.rolname) as subject_id,
  'a balance column that users may write' as detail,
  0::numeric as expected,
  1::numeric as actual,
  null::timestamptz as occurred_at
from pg_catalog.pg_roles as r
cross join (values
  ('vibe_assistant_tokens_remaining'), ('vibe_assistant_tokens_used'), ('vibe_assistant_total_cost'),
  ('token_rollover_cycles'), ('token_last_drip_date')) as c (name)
cross join (values ('INSERT'), ('UPDATE')) as p (privilege)
where r.rolname in ('anon', 'authenticated')
  and has_column_privilege(r.oid, 'public.user_profiles'::regclass, c.name, p.privilege)
