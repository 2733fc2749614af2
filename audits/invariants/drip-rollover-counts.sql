-- title: Each drip counts one rollover more, after three the earlier balance expires, and the profile has the last count
-- severity: major
-- stages: unify, retired
-- why: A count that stands still lets a balance roll over for ever; one that runs ahead takes tokens too early.
-- fix: Compare with the profile's token_rollover_cycles; correct by an admin request that says why.
-- unit: tokens
-- population: select (select count(*) from public.token_drips) + (select count(*) from public.token_usage)
with drips as (
  select
    d.id, d.user_id, d.balance_before, d.expired_tokens, d.rollover_cycles_count, d.drip_date,
    lead(d.id) over (partition by d.user_id order by d.drip_date, d.id) is null as is_last,
    case when d.balance_before > 0
      then coalesce(lag(d.rollover_cycles_count) over (partition by d.user_id order by d.drip_date, d.id), 0) + 1
      else 0 end as due
  from public.token_drips as d
  -- A yearly grant sets the count back: who had one is not judged here.
  where not exists (
    select from public.token_usage as u
    where u.user_id = d.user_id and u.action_type = 'subscription_grant' and u.tokens_used = 5000000)
)
select
  'token_drips' as subject_type,
  d.id::text as subject_id,
  format('rollover count %s where %s was due', d.rollover_cycles_count, case when d.due > 3 then 0 else d.due end) as detail,
  case when d.due > 3 then d.balance_before else 0 end::numeric as expected,
  d.expired_tokens::numeric as actual,
  d.drip_date as occurred_at,
  d.user_id
from drips as d
where d.rollover_cycles_count <> case when d.due > 3 then 0 else d.due end
   or d.expired_tokens <> case when d.due > 3 then d.balance_before else 0 end
union all
-- The next drip counts on from there.
select
  'user',
  d.user_id::text,
  'the rollover count of the profile is not that of the last drip',
  d.rollover_cycles_count,
  coalesce(p.token_rollover_cycles, 0),
  d.drip_date,
  d.user_id
from drips as d
join public.user_profiles as p on p.user_id = d.user_id and p.is_active and not p.is_draft
where d.is_last and p.token_rollover_cycles is distinct from d.rollover_cycles_count
