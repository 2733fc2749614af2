-- title: A grant goes to the user who earned it
-- severity: critical
-- stages: as-found, view, unify, retired
-- needs: evidence
-- why: One user's purchase was credited to another.
-- fix: Move the tokens by two admin requests that name each other; look for how the app found the user.
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
),
owed as (
  select o.grant_key, o.kind, o.user_id, o.action_type, o.tokens, o.occurred_at
  from evidence, jsonb_to_recordset(evidence.doc -> 'entitlements') as o (
    grant_key text, kind text, user_id uuid, action_type text, tokens numeric, occurred_at timestamptz)
)
select
  'token_usage' as subject_type,
  h.id::text as subject_id,
  format('%s for %s was credited to another user than the one who earned it', h.action_type, h.fact) as detail,
  0::numeric as expected,
  h.tokens_used::numeric as actual,
  h.created_at as occurred_at,
  h.user_id
from owed as o
join had as h on h.fact = o.grant_key
where h.user_id <> o.user_id
