-- title: Every row of the legacy tables has exactly one counterpart in the ledger, and every drip of the ledger its legacy row
-- severity: critical
-- stages: unify
-- why: A legacy row without counterpart is a movement that the one ledger does not know; two counterparts count it twice.
-- fix: Run unify again: it copies what is missing; rows of unknown direction need a decision by hand.
-- unit: tokens
-- population: select (select count(*) from public.token_transactions) + (select count(*) from public.token_drips) + (select count(*) from public.token_usage)
with legacy as (
  select 'token_transactions' as source, t.id::text as source_id, t.user_id, r.tokens,
    -- The direction of a manual adjustment is not in its row.
    case
      when r.type in (
        'annual_subscription_grant', 'subscription_grant', 'renewal_grant', 'trial_grant', 'pack_purchase',
        'token_pack_purchase', 'admin_grant') then true
      when r.type in (
        'admin_deduct', 'chat', 'refinement', 'blueprint', 'assessment', 'audio_generation', 'transcription',
        'image_generation', 'assessment_scoring', 'vision_generation', 'vision_refinement', 'blueprint_generation',
        'chat_conversation', 'life_vision_category_summary', 'life_vision_master_assembly', 'prompt_suggestions',
        'frequency_flip') then false
    end as adds,
    r.usage_id as token_usage_id, r.moved, r.balance_after, r.created_at
  from public.token_transactions as t
  -- The table has had several shapes; a row as JSON has the columns that it has.
  cross join lateral (select to_jsonb(t) as j offset 0) as x
  cross join lateral (
    select coalesce(x.j ->> 'action_type', x.j ->> 'transaction_type') as type,
      abs(coalesce(x.j ->> 'tokens_used', x.j ->> 'token_amount')::bigint) as tokens,
      -- What is counted as used has the sign of use.
      coalesce(-(x.j ->> 'tokens_used')::bigint, (x.j ->> 'token_amount')::bigint) as moved,
      coalesce(x.j ->> 'tokens_remaining', x.j ->> 'balance_after')::bigint as balance_after,
      x.j -> 'metadata' ->> 'token_usage_id' as usage_id,
      (x.j ->> 'created_at')::timestamptz as created_at) as r
  union all
  select 'token_drips', d.id::text, d.user_id, d.drip_amount, true, d.metadata ->> 'token_usage_id', d.drip_amount, d.balance_after, d.drip_date
  from public.token_drips as d
  where d.drip_amount <> 0
),
-- A copied row names its source; what the functions write to both tables is named by the legacy row.
links as (
  select u.metadata ->> 'legacy_table' as source, u.metadata ->> 'legacy_id' as source_id, u.id
  from public.token_usage as u
  where u.metadata ->> 'legacy_table' is not null
  union
  -- By the primary key where the text is a uuid as Postgres writes it; no other can be the id of a row.
  select l.source, l.source_id, u.id
  from legacy as l
  join public.token_usage as u
    on u.id = case when l.token_usage_id ~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$' then l.token_usage_id::uuid end
),
counted as (
  select l.source, l.source_id, count(*) as counterparts, (array_agg(l.id order by l.id))[1] as id
  from links as l
  group by l.source, l.source_id
)
select
  case when l.source_id is null then 'token_usage' else l.source end as subject_type,
  coalesce(l.source_id, c.id::text) as subject_id,
  case
    when l.source_id is null then 'a ledger row was copied from a legacy row that is gone'
    when c.id is null then 'no counterpart in the ledger'
    when c.counterparts > 1 then 'more than one counterpart in the ledger'
    when u.user_id <> l.user_id then 'its counterpart belongs to another user'
    when u.tokens_used <> l.tokens then 'its counterpart has another size'
    when u.balance_after <> l.balance_after then 'its counterpart left another balance'
    when u.id::text = l.token_usage_id and u.tokens_used <> l.moved then 'it has the sign of the other direction'
    else 'its counterpart has another direction'
  end as detail,
  coalesce(l.tokens, 0)::numeric as expected,
  (coalesce(u.tokens_used, 0) * coalesce(c.counterparts, 0))::numeric as actual,
  coalesce(l.created_at, u.created_at) as occurred_at,
  coalesce(l.user_id, u.user_id) as user_id
from legacy as l
full join counted as c on c.source = l.source and c.source_id = l.source_id
left join public.token_usage as u on u.id = c.id
where l.source_id is null
   or c.counterparts > 1
   -- Of rows of 0 unify copies use alone.
   or c.id is null and l.tokens <> 0
   or u.user_id <> l.user_id
   or u.tokens_used <> l.tokens
   or u.balance_after <> l.balance_after
   -- What the functions write; the app as found had several conventions.
   or u.id::text = l.token_usage_id and u.tokens_used <> l.moved
   or (u.action_type in ('admin_grant', 'subscription_grant', 'trial_grant', 'token_pack_purchase')) <> l.adds
union all
-- The link was found above; of several that name one row, all but the first are surplus.
select
  d.source,
  d.source_id,
  'another legacy row has the same counterpart',
  0,
  d.tokens,
  d.created_at,
  d.user_id
from (
  select l.source, l.source_id, l.tokens, l.created_at, l.user_id,
    row_number() over (partition by l.token_usage_id order by l.created_at, l.source_id) as place
  from legacy as l
  where l.token_usage_id is not null
) as d
where d.place > 1
union all
-- While token_transactions is retired yearly grants are not written there; drips always are.
select
  'token_usage',
  u.id::text,
  'a drip since unify that token_drips does not have',
  u.tokens_used,
  0,
  u.created_at,
  u.user_id
from public.token_usage as u
where u.action_type = 'subscription_grant' and u.balance_after is not null and u.metadata ->> 'plan' = 'vision_pro_28day'
  and not exists (select from legacy as l where l.token_usage_id = u.id::text)
