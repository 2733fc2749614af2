-- title: The view token_ledger shows every movement once
-- severity: major
-- stages: view, unify
-- why: Reports and the admin pages read the view; a row that it drops or doubles is wrong everywhere.
-- fix: Run the migration of the database's stage again: it puts the view back.
-- unit: rows
-- population: select (select count(*) from public.token_usage) + (select count(*) from public.token_transactions) + (select count(*) from public.token_drips)
with shown as (
  select l.source_table, l.source_id, count(*) as times, min(l.occurred_at) as occurred_at,
    min(l.user_id::text)::uuid as user_id
  from public.token_ledger as l
  where l.source_action <> 'rollover_expired'
  group by l.source_table, l.source_id
),
legacy as (
  select 'token_transactions' as source_table, t.id, t.user_id, t.created_at, to_jsonb(t) -> 'metadata' as metadata from public.token_transactions as t
  union all
  select 'token_drips', d.id, d.user_id, d.drip_date, d.metadata from public.token_drips as d
),
held as (
  select 'token_usage' as source_table, u.id, u.user_id, u.created_at from public.token_usage as u
  union all
  select l.source_table, l.id, l.user_id, l.created_at
  from legacy as l
  where l.metadata ->> 'token_usage_id' is null
    and not exists (
      select from public.token_usage as u
      where u.metadata ->> 'legacy_table' = l.source_table and u.metadata ->> 'legacy_id' = l.id::text)
)
select
  coalesce(h.source_table, s.source_table) as subject_type,
  coalesce(h.id, s.source_id)::text as subject_id,
  case when h.id is null then 'shown, but not a movement of its own' when s.times is null then 'not shown' else 'shown more than once' end
    as detail,
  case when h.id is null then 0 else 1 end::numeric as expected,
  coalesce(s.times, 0)::numeric as actual,
  coalesce(h.created_at, s.occurred_at) as occurred_at,
  coalesce(h.user_id, s.user_id) as user_id
from held as h
full join shown as s on s.source_table = h.source_table and s.source_id = h.id
where (h.id is null or s.times is distinct from 1)
  -- As the migrations write it, the view is a union of what is counted here: each row once, by its definition.
  and (md5(pg_get_viewdef('public.token_ledger'::regclass)) in ('06648b4b3584cea54060b7e6b65ed1fc', 'e9d22cb73d0478c9b56a5f34d53e667d')
    and md5(pg_get_viewdef('public.token_ledger_legacy'::regclass)) = 'bab38fb894dd09c5f6191a910011120c') is not true
