-- title: A refunded purchase that kept its tokens
-- severity: minor
-- stages: as-found, view, unify, retired
-- needs: evidence
-- why: A refund takes no tokens back today; this is what that policy costs.
-- fix: Decide with the customer; an admin deduction that names the payment intent settles it.
-- unit: tokens
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
)
select
  'grant_key' as subject_type,
  o.grant_key as subject_id,
  format('refunded by %s cents, tokens kept', o.refunded_cents) as detail,
  0::numeric as expected,
  h.tokens_used::numeric as actual,
  h.created_at as occurred_at,
  h.user_id
from evidence, jsonb_to_recordset(evidence.doc -> 'entitlements') as o (
  grant_key text, stripe_payment_intent text, refunded_cents numeric)
join had as h on h.fact = o.grant_key
where o.refunded_cents > 0
  and not exists (
    select from public.token_usage as d
    where d.action_type = 'admin_deduct' and d.user_id = h.user_id
      and (d.metadata ->> 'stripe_payment_intent' = o.stripe_payment_intent or d.metadata ->> 'reverses' = h.id::text)
      and d.metadata ->> 'reason' is distinct from 'annual_reset'
      and d.metadata ->> 'reason' is distinct from 'rollover_expired')
