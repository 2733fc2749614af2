-- title: A user with ledger rows has exactly one active profile
-- severity: critical
-- stages: as-found, view, unify, retired
-- why: The active, non-draft row is the balance: without one the tokens are nowhere, with two nobody knows which counts.
-- fix: Activate the user's newest version, or merge the two; the partial unique index must be there.
-- unit: users
-- population: select (select count(*) from public.token_usage) + (select count(*) from public.user_profiles)
with active as (
  select p.user_id, count(*) as rows
  from public.user_profiles as p
  where p.is_active and not p.is_draft
  group by p.user_id
),
ledger as (
  select u.user_id, max(u.created_at) as last_at from public.token_usage as u group by u.user_id
)
select
  'user' as subject_type,
  coalesce(l.user_id, a.user_id)::text as subject_id,
  format('%s active profile rows', coalesce(a.rows, 0)) as detail,
  1::numeric as expected,
  coalesce(a.rows, 0)::numeric as actual,
  l.last_at as occurred_at
from ledger as l
full join active as a on a.user_id = l.user_id
where coalesce(a.rows, 0) <> 1
