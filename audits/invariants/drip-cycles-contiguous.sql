-- title: The 28-day cycles of a subscription have no gap and no repeat, and follow each other in time
-- severity: major
-- stages: as-found, view, unify, retired
-- why: A repeated cycle is a drip given twice, a gap is one that a paying customer missed.
-- fix: Compare with the subscription's paid invoices in Stripe.
-- unit: cycles
-- population: select (select count(*) from public.token_drips) + (select count(*) from public.token_usage)
with drips as (
  select
    d.id, d.user_id, d.cycle_number, d.drip_date,
    coalesce(s.stripe_subscription_id, d.metadata ->> 'stripe_subscription_id', d.subscription_id::text) as subscription,
    -- Before unify callers counted for themselves.
    d.metadata ->> 'token_usage_id' is not null as since_unify
  from public.token_drips as d
  left join public.customer_subscriptions as s on s.id = d.subscription_id
),
placed as (
  select
    d.user_id, d.cycle_number, d.drip_date, d.subscription,
    d.since_unify and lead(d.cycle_number) over (
      partition by d.subscription, d.since_unify order by d.drip_date, d.id) <= d.cycle_number as overtakes
  from drips as d
)
select
  'subscription' as subject_type,
  d.subscription as subject_id,
  format('cycles %s', string_agg(d.cycle_number::text, ', ' order by d.cycle_number)) as detail,
  count(*)::numeric as expected,
  max(d.cycle_number)::numeric as actual,
  max(d.drip_date) as occurred_at,
  min(d.user_id::text)::uuid as user_id
from placed as d
where d.subscription is not null
group by d.subscription
having count(*) <> count(distinct d.cycle_number)
    or min(d.cycle_number) <> 1
    or max(d.cycle_number) <> count(*)
    or bool_or(d.overtakes)
