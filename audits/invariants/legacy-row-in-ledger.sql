-- title: Every row of the legacy tables has exactly one counterpart in the ledger
-- severity: critical
-- stages: unify
-- why: A legacy row without counterpart is a movement that the one ledger does not know; two counterparts count it twice.
-- fix: Run unify again: it copies what is missing; rows of unknown direction need a decision by hand.
-- unit: tokens
-- population: select (select count(*) from public.token_transactions) + (select count(*) from public.token_drips) + (select count(*) from public.token_usage)
with legacy as (
  select 'token_transactions' as source, t.id, t.user_id, abs(t.tokens_used::bigint) as tokens,
    t.metadata ->> 'token_usage_id' as link, t.created_at
  from public.token_transactions as t
  where t.tokens_used <> 0
  union all
  select 'token_drips', d.id, d.user_id, d.drip_amount, d.metadata ->> 'token_usage_id', d.drip_date
  from public.token_drips as d
  where d.drip_amount <> 0
),
copies as (
  select u.id, u.user_id, u.tokens_used, u.created_at,
    u.metadata ->> 'legacy_table' as source, u.metadata ->> 'legacy_id' as source_id
  from public.token_usage as u
  where u.metadata ->> 'legacy_table' is not null
),
pairs as (
  select
    coalesce(l.source, c.source) as source,
    coalesce(l.id::text, c.source_id) as source_id,
    case when l.id is null then c.id end as orphan,
    coalesce(l.user_id, c.user_id) as user_id,
    l.tokens,
    coalesce(l.created_at, c.created_at) as created_at,
    count(coalesce(c.id, w.id)) as counterparts,
    bool_or(coalesce(c.user_id, w.user_id) <> l.user_id) as other_user,
    sum(coalesce(c.tokens_used, w.tokens_used)) as found
  from legacy as l
  full join copies as c on c.source = l.source and c.source_id = l.id::text
  left join public.token_usage as w on w.id::text = l.link
  group by 1, 2, 3, 4, 5, 6
)
select
  case when p.orphan is null then p.source else 'token_usage' end as subject_type,
  coalesce(p.orphan::text, p.source_id) as subject_id,
  case
    when p.tokens is null then 'a ledger row was copied from a legacy row that is gone'
    when p.counterparts = 0 then 'no counterpart in the ledger'
    when p.counterparts > 1 then 'more than one counterpart in the ledger'
    when p.other_user then 'its counterpart belongs to another user'
    else 'its counterpart has another size'
  end as detail,
  coalesce(p.tokens, 0)::numeric as expected,
  coalesce(p.found, 0)::numeric as actual,
  p.created_at as occurred_at,
  p.user_id
from pairs as p
where p.tokens is null or p.counterparts <> 1 or p.other_user or p.found is distinct from p.tokens
