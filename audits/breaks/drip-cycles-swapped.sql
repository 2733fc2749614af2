-- title: Two drips swap their cycles
-- stages: unify
-- turns-red: drip-cycles-contiguous
-- subject: select s.stripe_subscription_id from public.customer_subscriptions as s where s.stripe_subscription_id is not null
with last_two as (
  select d.id, d.cycle_number
  from public.token_drips as d
  where d.metadata ? 'token_usage_id'
    and d.subscription_id = (
      select s.subscription_id from public.token_drips as s
      where s.metadata ? 'token_usage_id'
      group by s.subscription_id having count(*) > 1
      order by s.subscription_id limit 1)
  order by d.cycle_number desc
  limit 2
)
update public.token_drips as d set cycle_number = other.cycle_number
from last_two as own
join last_two as other on other.id <> own.id
where d.id = own.id;
