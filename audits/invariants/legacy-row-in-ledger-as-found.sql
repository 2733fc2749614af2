-- title: Every row of token_transactions shows up in token_usage
-- severity: critical
-- stages: as-found, view
-- why: The app's history, admin pages and reports read token_usage alone: what is only in token_transactions is invisible.
-- fix: Install unify, which copies the rows and lets the functions write both tables.
-- unit: tokens
-- population: select (select count(*) from public.token_transactions) + (select count(*) from public.token_usage)
with legacy as (
  select
    t.id, t.user_id, r.type, r.tokens, r.created_at,
    case r.type
      when 'annual_subscription_grant' then 'subscription_grant'
      when 'renewal_grant' then 'subscription_grant'
      when 'pack_purchase' then 'token_pack_purchase'
      when 'chat' then 'chat_conversation'
      when 'refinement' then 'vision_refinement'
      when 'blueprint' then 'blueprint_generation'
      when 'assessment' then 'assessment_scoring'
      else r.type
    end as mapped
  from public.token_transactions as t
  -- The table has had several shapes; a row as JSON has the columns that it has.
  cross join lateral (select to_jsonb(t) as j offset 0) as x
  cross join lateral (
    select coalesce(x.j ->> 'action_type', x.j ->> 'transaction_type') as type,
      abs(coalesce(x.j ->> 'tokens_used', x.j ->> 'token_amount')::bigint) as tokens,
      (x.j ->> 'created_at')::timestamptz as created_at) as r
  where r.tokens <> 0
),
legacy_ranked as (
  select l.id, l.user_id, l.type, l.tokens, l.created_at, l.mapped,
    row_number() over (partition by l.user_id, l.mapped, l.tokens order by l.created_at, l.id) as place
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
  l.type || ' is in token_transactions and not in token_usage' as detail,
  l.tokens::numeric as expected,
  0::numeric as actual,
  l.created_at as occurred_at,
  l.user_id
from legacy_ranked as l
left join usage_ranked as u
  on u.user_id = l.user_id and u.mapped = l.mapped and u.tokens_used = l.tokens and u.place = l.place
where u.id is null
