-- title: Every grant names a purchase or an admin's decision
-- severity: major
-- stages: as-found, view
-- why: A grant that says neither who paid nor which admin gave it can't be explained to anyone.
-- fix: Look for the user's purchase at that time; unify keeps the row under a legacy key.
-- unit: tokens
-- population: select count(*) from public.token_usage
select
  'token_usage' as subject_type,
  u.id::text as subject_id,
  u.action_type || ' with neither a Stripe reference nor an admin''s delta' as detail,
  0::numeric as expected,
  u.tokens_used::numeric as actual,
  u.created_at as occurred_at,
  u.user_id
from public.token_usage as u
where u.action_type in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase')
  and coalesce(
    u.metadata ->> 'stripe_session_id', u.metadata ->> 'stripe_payment_intent', u.metadata ->> 'stripe_invoice_id',
    u.metadata ->> 'stripe_subscription_id', u.metadata ->> 'delta') is null
