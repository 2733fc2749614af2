-- title: Every settled fact has its row in token_usage
-- severity: critical
-- stages: as-found, view, unify, retired
-- needs: evidence
-- why: A customer paid, or was promised tokens, and the ledger does not know it.
-- fix: Send Stripe's event again (within 30 days), or npm run migrate -- differences --evidence FILE for what unify left.
-- unit: tokens
-- settle: 1h
-- population: select count(*) from jsonb_array_elements(current_setting('audit.evidence')::jsonb -> 'entitlements')
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
-- What no row names may still be there as an older row that names no fact: these are paired one by one.
unnamed_owed as (
  select o.grant_key, o.kind, o.user_id, o.action_type, o.tokens, o.occurred_at,
    row_number() over (partition by o.user_id, o.action_type, o.tokens order by o.occurred_at, o.grant_key) as place
  from owed as o
  where not exists (select from had as h where h.fact = o.grant_key)
),
unnamed_had as (
  select h.id, h.user_id, h.action_type, h.tokens_used,
    row_number() over (partition by h.user_id, h.action_type, h.tokens_used order by h.created_at, h.id) as place
  from had as h
  where h.fact is null
)
select
  'grant_key' as subject_type,
  o.grant_key as subject_id,
  o.action_type || ' is owed and not in token_usage' as detail,
  o.tokens as expected,
  0::numeric as actual,
  o.occurred_at,
  o.user_id
from unnamed_owed as o
cross join evidence
left join unnamed_had as h
  on h.user_id = o.user_id and h.action_type = o.action_type and h.tokens_used = o.tokens and h.place = o.place
where h.id is null
  and evidence.doc -> 'covers' ? o.kind
  and o.occurred_at >= coalesce((evidence.doc -> 'covers' -> o.kind ->> 'from')::timestamptz, '-infinity')
  and o.occurred_at <= coalesce((evidence.doc -> 'covers' -> o.kind ->> 'to')::timestamptz, 'infinity')
  and o.occurred_at <= current_setting('audit.horizon')::timestamptz
