-- title: Every 28-day drip shows up in token_usage
-- severity: critical
-- stages: as-found, view
-- why: Drips are written to token_drips alone: the user's history lacks them, and a recalculated balance loses them.
-- fix: Install unify, which copies the drips and lets the function write both tables.
-- unit: tokens
-- population: select (select count(*) from public.token_drips) + (select count(*) from public.token_usage)
with drips as (
  select d.id, d.user_id, d.drip_amount, d.cycle_number, d.drip_date,
    row_number() over (partition by d.user_id, d.drip_amount order by d.drip_date, d.id) as place
  from public.token_drips as d
  where d.drip_amount <> 0
),
grants as (
  select u.id, u.user_id, u.tokens_used,
    row_number() over (partition by u.user_id, u.tokens_used order by u.created_at, u.id) as place
  from public.token_usage as u
  where u.action_type = 'subscription_grant'
)
select
  'token_drips' as subject_type,
  d.id::text as subject_id,
  format('the drip of cycle %s is not in token_usage', d.cycle_number) as detail,
  d.drip_amount::numeric as expected,
  0::numeric as actual,
  d.drip_date as occurred_at,
  d.user_id
from drips as d
left join grants as g on g.user_id = d.user_id and g.tokens_used = d.drip_amount and g.place = d.place
where g.id is null
