-- title: The grant key of a row fits its type and its metadata
-- severity: major
-- stages: unify, retired
-- why: A key that names another fact than the row does lets the real fact be granted again.
-- fix: Compare the row with the evidence that it names; correct the key in a reviewed migration.
-- unit: rows
-- population: select count(*) from public.token_usage where grant_key is not null
select
  'token_usage' as subject_type,
  u.id::text as subject_id,
  format('a row of type %s under the key %s', u.action_type, u.grant_key) as detail,
  1::numeric as expected,
  0::numeric as actual,
  u.created_at as occurred_at,
  u.user_id
from public.token_usage as u
where u.grant_key is not null
  and not coalesce(
    case
      when u.grant_key like '%:reset' then
        u.action_type = 'admin_deduct' and u.metadata ->> 'reason' in ('annual_reset', 'rollover_expired')
        and case split_part(u.grant_key, ':', 1)
          when 'invoice' then 'invoice:' || (u.metadata ->> 'stripe_invoice_id') || ':reset' = u.grant_key
          when 'subscription_period' then u.metadata ->> 'stripe_subscription_id' = split_part(u.grant_key, ':', 2)
          else split_part(u.grant_key, ':', 1) = 'legacy'
        end
      when u.grant_key like 'checkout_session:%' then
        u.action_type = 'token_pack_purchase' and 'checkout_session:' || (u.metadata ->> 'stripe_session_id') = u.grant_key
      when u.grant_key like 'invoice:%' then
        u.action_type = 'subscription_grant' and 'invoice:' || (u.metadata ->> 'stripe_invoice_id') = u.grant_key
      when u.grant_key like 'subscription_period:%' then
        u.action_type = 'subscription_grant'
        and u.grant_key ~ '^subscription_period:sub_[A-Za-z0-9_]+:[0-9]{4}-[0-9]{2}-[0-9]{2}$'
        and u.metadata ->> 'stripe_subscription_id' = split_part(u.grant_key, ':', 2)
      when u.grant_key like 'trial:%' then
        u.action_type = 'trial_grant' and 'trial:' || (u.metadata ->> 'stripe_subscription_id') = u.grant_key
      when u.grant_key like 'admin:%' then
        u.action_type in ('admin_grant', 'admin_deduct') and 'admin:' || (u.metadata ->> 'request_id') = u.grant_key
      when u.grant_key like 'legacy:%' then
        u.grant_key = 'legacy:token_usage:' || u.id
        or u.grant_key = 'legacy:' || (u.metadata ->> 'legacy_table') || ':' || (u.metadata ->> 'legacy_id')
      when u.grant_key like 'opening:%' then
        u.action_type in ('admin_grant', 'admin_deduct') and u.grant_key ~ '^opening:[0-9a-f]{64}:[1-9][0-9]*$'
        and 'opening:' || (u.metadata ->> 'adjustment') = u.grant_key
    end, false)
