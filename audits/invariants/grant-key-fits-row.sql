-- title: The grant key of a row fits its type and its metadata
-- severity: major
-- stages: unify, retired
-- why: A key that names another fact than the row does lets the real fact be granted again.
-- fix: Compare the row with the evidence that it names; correct the key in a reviewed migration.
-- unit: rows
-- population: select count(*) from public.token_usage where grant_key is not null
with keyed as (
  select
    u.id, u.user_id, u.action_type, u.metadata, u.created_at, u.grant_key,
    u.grant_key like '%:reset' as resets,
    split_part(u.grant_key, ':', 1) as kind,
    regexp_replace(substr(u.grant_key, strpos(u.grant_key, ':') + 1), ':reset$', '') as fact
  from public.token_usage as u
  where u.grant_key is not null
)
select
  'token_usage' as subject_type,
  k.id::text as subject_id,
  format('a row of type %s under the key %s', k.action_type, k.grant_key) as detail,
  1::numeric as expected,
  0::numeric as actual,
  k.created_at as occurred_at,
  k.user_id
from keyed as k
where not coalesce(
  case
    when k.resets then
      k.action_type = 'admin_deduct' and k.metadata ->> 'reason' in ('annual_reset', 'rollover_expired')
      and k.kind in ('invoice', 'subscription_period', 'legacy')
    when k.kind = 'checkout_session' then
      k.action_type = 'token_pack_purchase' and k.metadata ->> 'stripe_session_id' = k.fact
    when k.kind = 'invoice' then
      k.action_type = 'subscription_grant' and k.metadata ->> 'stripe_invoice_id' = k.fact
    when k.kind = 'subscription_period' then
      k.action_type = 'subscription_grant'
      and k.fact ~ '^sub_[A-Za-z0-9_]+:[0-9]{4}-[0-9]{2}-[0-9]{2}$'
      and k.metadata ->> 'stripe_subscription_id' = split_part(k.fact, ':', 1)
    when k.kind = 'trial' then
      k.action_type = 'trial_grant' and k.metadata ->> 'stripe_subscription_id' = k.fact
    when k.kind = 'admin' then
      k.action_type in ('admin_grant', 'admin_deduct') and k.metadata ->> 'request_id' = k.fact
    when k.kind = 'legacy' then
      k.fact = 'token_usage:' || k.id or k.fact = (k.metadata ->> 'legacy_table') || ':' || (k.metadata ->> 'legacy_id')
    when k.kind = 'opening' then
      k.action_type in ('admin_grant', 'admin_deduct') and k.fact ~ '^[0-9a-f]{64}:[1-9][0-9]*$'
  end, false)
