-- title: Every grant was earned by a settled fact, once
-- severity: critical
-- stages: as-found, view, unify, retired
-- needs: evidence
-- why: Tokens were given for a payment that never settled, for one that does not exist, or twice for the same one.
-- fix: Look the named object up in Stripe; npm run migrate -- differences --evidence FILE lists the rows that reverse it.
-- unit: tokens
-- population: select count(*) from public.token_usage
with evidence as materialized (
  select current_setting('audit.evidence')::jsonb as doc
),
-- Grants and deductions with the fact that each names. As found packs are filed as admin_grant, and there is no key.
had as materialized (
  select
    u.id, u.user_id, u.tokens_used, u.created_at, u.metadata, k.action_type, k.grant_key,
    case
      when split_part(k.grant_key, ':', 1) in ('checkout_session', 'invoice', 'trial', 'admin') then k.grant_key
      when k.action_type = 'token_pack_purchase' then 'checkout_session:' || (u.metadata ->> 'stripe_session_id')
      when k.action_type = 'subscription_grant' then 'invoice:' || (u.metadata ->> 'stripe_invoice_id')
      when k.action_type = 'trial_grant' then 'trial:' || (u.metadata ->> 'stripe_subscription_id')
      else 'admin:' || (u.metadata ->> 'request_id')
    end as fact
  from public.token_usage as u
  cross join lateral (
    select
      to_jsonb(u) ->> 'grant_key' as grant_key,
      case when u.action_type = 'admin_grant'
             and coalesce(u.metadata ->> 'stripe_session_id', u.metadata ->> 'stripe_payment_intent') is not null
        then 'token_pack_purchase' else u.action_type end as action_type
  ) as k
  where u.action_type in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase')
    and u.success
    and coalesce(k.grant_key, '') not like 'opening:%'
    and coalesce(k.grant_key, '') not like '%:reset'
),
owed as (
  select o.grant_key, o.kind, o.user_id, o.action_type, o.tokens, o.occurred_at
  from evidence, jsonb_to_recordset(evidence.doc -> 'entitlements') as o (
    grant_key text, kind text, user_id uuid, action_type text, tokens numeric, occurred_at timestamptz)
),
ranked as (
  select
    h.id, h.user_id, h.action_type, h.tokens_used, h.created_at, h.metadata, h.fact,
    row_number() over (partition by h.fact order by h.created_at, h.id) as of_fact,
    row_number() over (partition by h.user_id, h.action_type, h.tokens_used, h.fact is null order by h.created_at, h.id) as place,
    case h.action_type
      when 'token_pack_purchase' then 'checkout_session'
      when 'subscription_grant' then 'invoice'
      when 'trial_grant' then 'trial'
      else 'admin'
    end as kind
  from had as h
),
unnamed_owed as (
  select o.user_id, o.action_type, o.tokens,
    row_number() over (partition by o.user_id, o.action_type, o.tokens order by o.occurred_at, o.grant_key) as place
  from owed as o
  where not exists (select from had as h where h.fact = o.grant_key)
),
refused as (
  select r.grant_key, r.why
  from evidence, jsonb_to_recordset(evidence.doc -> 'refused') as r (grant_key text, why text)
)
select
  'token_usage' as subject_type,
  h.id::text as subject_id,
  format('%s %s', h.action_type, coalesce('for ' || h.fact || case when r.why is null then '' else ', which is ' || r.why end,
    'that names no fact')) as detail,
  0::numeric as expected,
  h.tokens_used::numeric as actual,
  h.created_at as occurred_at,
  h.user_id
from ranked as h
cross join evidence
left join refused as r on r.grant_key = h.fact
where evidence.doc -> 'covers' ? h.kind
  and h.created_at >= coalesce((evidence.doc -> 'covers' -> h.kind ->> 'unearned_from')::timestamptz, '-infinity')
  and h.created_at <= coalesce((evidence.doc -> 'covers' -> h.kind ->> 'to')::timestamptz, 'infinity')
  and not case
    when h.fact is not null then h.of_fact = 1 and exists (select from owed as o where o.grant_key = h.fact)
    else exists (
      select from unnamed_owed as o
      where o.user_id = h.user_id and o.action_type = h.action_type and o.tokens = h.tokens_used and o.place = h.place)
  end
  -- Named by test-mode-grants-nothing.
  and r.why is distinct from 'test mode'
  -- Reviewed: reversed, or itself the correction of another row.
  and not exists (
    select from public.token_usage as d
    where d.action_type = case h.action_type when 'admin_deduct' then 'admin_grant' else 'admin_deduct' end
      and d.user_id = h.user_id
      and d.metadata ->> 'reverses' = h.id::text and d.tokens_used >= h.tokens_used)
  and not exists (select from public.token_usage as c where c.id::text = h.metadata ->> 'corrects')
