-- title: Each drip counts one rollover more, after three the earlier balance expires, and the profile has the last count
-- severity: major
-- stages: unify, retired
-- why: A count that stands still lets a balance roll over for ever; one that runs ahead takes tokens too early.
-- fix: Compare with the profile's token_rollover_cycles; correct by an admin request that says why.
-- unit: tokens
-- population: select (select count(*) from public.token_drips) + (select count(*) from public.token_usage)
with counts as (
  select
    d.id, d.user_id, d.drip_date as counted_at, d.rollover_cycles_count as rollovers, d.balance_before, d.expired_tokens,
    null::timestamptz as year_at, null::timestamptz as known_year_at
  from public.token_drips as d
  union all
  -- A yearly grant sets the count back. Of one from before unify, or one that was posted later, nobody knows whether it did.
  select
    u.id, u.user_id, u.created_at, 0, 0, 0,
    u.created_at, case when u.balance_after is not null and (u.metadata ? 'adjustment') is not true then u.created_at end
  from public.token_usage as u
  where u.action_type = 'subscription_grant' and u.tokens_used = 5000000
),
ordered as (
  select
    c.*,
    coalesce(lag(c.rollovers) over one_after_another, 0) as rollovers_before,
    lead(c.id) over one_after_another is null as is_last,
    max(c.year_at) over one_after_another as last_year_at,
    max(c.known_year_at) over one_after_another as last_known_year_at,
    count(c.year_at) over of_the_user as years,
    count(*) over of_the_user as counts
  from counts as c
  window of_the_user as (partition by c.user_id), one_after_another as (of_the_user order by c.counted_at, c.id)
),
judged as (
  select
    o.*,
    case
      when o.year_at is not null or o.balance_before <= 0 or o.rollovers_before >= 3 then 0
      else o.rollovers_before + 1
    end as due,
    case when o.balance_before > 0 and o.rollovers_before >= 3 then o.balance_before else 0 end as due_to_expire
  from ordered as o
  -- Who had no drip is not counted; who had years is judged since one that set the count back, and no other came after it.
  where o.counts > o.years and (o.years = 0 or o.last_known_year_at = o.last_year_at)
)
select
  'token_drips' as subject_type,
  j.id::text as subject_id,
  format('rollover count %s where %s was due', j.rollovers, j.due) as detail,
  j.due_to_expire::numeric as expected,
  j.expired_tokens::numeric as actual,
  j.counted_at as occurred_at,
  j.user_id
from judged as j
where j.rollovers <> j.due or j.expired_tokens <> j.due_to_expire
union all
-- The next drip counts on from there.
select
  'user',
  j.user_id::text,
  'the rollover count of the profile is not that of the last grant',
  j.rollovers,
  coalesce(p.token_rollover_cycles, 0),
  j.counted_at,
  j.user_id
from judged as j
join public.user_profiles as p on p.user_id = j.user_id and p.is_active and not p.is_draft
where j.is_last and p.token_rollover_cycles is distinct from j.rollovers
