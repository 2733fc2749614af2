-- title: Every row of token_transactions shows up in token_usage
-- severity: critical
-- stages: as-found, view
-- why: The app's history, admin pages and reports read token_usage alone: what is only in token_transactions is invisible.
-- fix: Install unify, which copies the rows and lets the functions write both tables.
-- unit: tokens
-- population: select (select count(*) from public.token_transactions) + (select count(*) from public.token_usage)
with legacy as (
  select
    t.id, t.user_id, t.action_type, t.tokens_used, t.created_at,
    case t.action_type::text
      when 'annual_subscription_grant' then 'subscription_grant'
      when 'renewal_grant' then 'subscription_grant'
      when 'pack_purchase' then 'token_pack_purchase'
      when 'chat' then 'chat_conversation'
      when 'refinement' then 'vision_refinement'
      when 'blueprint' then 'blueprint_generation'
      when 'assessment' then 'assessment_scoring'
      else t.action_type::text
    end as mapped
  from public.token_transactions as t
  where t.tokens_used <> 0
),
legacy_ranked as (
  select l.id, l.user_id, l.action_type, l.tokens_used, l.created_at, l.mapped,
    row_number() over (partition by l.user_id, l.mapped, abs(l.tokens_used) order by l.created_at, l.id) as place
  from legacy as l
),
-- Packs are filed as admin_grant as found. Rows are paired one by one by user, type and size.
usage_ranked as (
  select u.id, u.user_id, u.tokens_used, m.mapped,
    row_number() over (partition by u.user_id, m.mapped, u.tokens_used order by u.created_at, u.id) as place
  from public.token_usage as u
  cross join lateral (
    select case when u.action_type = 'admin_grant' and u.metadata ->> 'stripe_session_id' is not null
      then 'token_pack_purchase' else u.action_type end as mapped
  ) as m
)
select
  'token_transactions' as subject_type,
  l.id::text as subject_id,
  l.action_type::text || ' is in token_transactions and not in token_usage' as detail,
  abs(l.tokens_used::bigint)::numeric as expected,
  0::numeric as actual,
  l.created_at as occurred_at,
  l.user_id
from legacy_ranked as l
left join usage_ranked as u
  on u.user_id = l.user_id and u.mapped = l.mapped and u.tokens_used = abs(l.tokens_used) and u.place = l.place
where u.id is null
