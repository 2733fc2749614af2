-- proves: What a row names is mostly in its grant key, and a unique index holds that to one row. The few other facts
--   are collected: none comes twice, none is in a key. Payments are in no key; each is hashed, alone and with
--   what the rule sets apart: as many payments, as many pairs.
-- stages: unify, retired
with facts as materialized (
  select f.fact
  from unnest((
    select array_agg('checkout_session:' || (u.metadata ->> 'stripe_session_id'))
    from public.token_usage as u
    where u.action_type in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase') and u.action_type <> 'admin_deduct'
      and 'checkout_session:' || (u.metadata ->> 'stripe_session_id') is distinct from u.grant_key
      and u.metadata ->> 'stripe_session_id' is not null
  ) || (
    select array_agg('invoice:' || (u.metadata ->> 'stripe_invoice_id'))
    from public.token_usage as u
    where u.action_type in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase') and u.action_type <> 'admin_deduct'
      and 'invoice:' || (u.metadata ->> 'stripe_invoice_id') is distinct from u.grant_key
      and u.metadata ->> 'stripe_invoice_id' is not null
  ) || (
    select array_agg('trial:' || (u.metadata ->> 'stripe_subscription_id'))
    from public.token_usage as u
    where u.action_type = 'trial_grant'
      and 'trial:' || (u.metadata ->> 'stripe_subscription_id') is distinct from u.grant_key
      and u.metadata ->> 'stripe_subscription_id' is not null
  ) || (
    select array_agg('admin:' || (u.metadata ->> 'request_id'))
    from public.token_usage as u
    where u.action_type in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase')
      and 'admin:' || (u.metadata ->> 'request_id') is distinct from u.grant_key
      and u.metadata ->> 'request_id' is not null
  )) as f (fact)
)
select
  (select count(*) = count(distinct f.fact) from facts as f)
  and not exists (select from facts as f join public.token_usage as c on c.grant_key = f.fact)
  and (
    select count(distinct p.payment) = count(distinct p.pair)
    from unnest((
      select array_agg(hashtextextended(u.metadata ->> 'stripe_payment_intent', current_setting('audit.seed')::bigint))
      from public.token_usage as u
      where u.action_type in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase') and u.action_type <> 'admin_deduct'
        and u.metadata ->> 'stripe_payment_intent' is not null
    ), (
      select array_agg(hashtextextended(
        coalesce(u.metadata ->> 'stripe_session_id', u.metadata ->> 'stripe_invoice_id', u.id::text),
        hashtextextended(u.metadata ->> 'stripe_payment_intent', current_setting('audit.seed')::bigint)))
      from public.token_usage as u
      where u.action_type in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase') and u.action_type <> 'admin_deduct'
        and u.metadata ->> 'stripe_payment_intent' is not null
    )) as p (payment, pair)
  )
  and exists (
    select from pg_catalog.pg_index as i
    where i.indrelid = 'public.token_usage'::regclass
      and i.indisunique and i.indisvalid and i.indisready and i.indimmediate and i.indpred is null
      and i.indnkeyatts = 1 and i.indexprs is null
      and pg_get_indexdef(i.indexrelid) like '% USING btree (grant_key)%')
as clear
