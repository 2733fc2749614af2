-- title: A cycle is skipped
-- stages: unify
-- turns-red: drip-cycles-contiguous
-- subject: select s.stripe_subscription_id from public.customer_subscriptions as s where s.stripe_subscription_id is not null
update public.token_drips set cycle_number = cycle_number + 1
where id = (
  select d.id from public.token_drips as d
  where d.subscription_id is not null
  order by d.subscription_id, d.cycle_number desc
  limit 1);
