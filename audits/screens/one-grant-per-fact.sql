-- proves: What a row names is mostly in its grant key, and a unique index holds that to one row. The few other facts
--   are collected: none comes twice, none is in a key. Payments are in no key: each is hashed, no number comes twice.
-- stages: unify, retired
with facts as materialized (
  select f.fact
  from unnest((
    select array_agg('checkout_session:' || (u.metadata ->> 'stripe_session_id'))
    from public.token_usage as u
    where u.grant_key is not null and u.metadata ->> 'stripe_session_id' is not null and u.action_type <> 'admin_deduct'
      and u.grant_key <> 'checkout_session:' || (u.metadata ->> 'stripe_session_id')
  ) || (
    select array_agg('invoice:' || (u.metadata ->> 'stripe_invoice_id'))
    from public.token_usage as u
    where u.grant_key is not null and u.metadata ->> 'stripe_invoice_id' is not null and u.action_type <> 'admin_deduct'
      and u.grant_key <> 'invoice:' || (u.metadata ->> 'stripe_invoice_id')
  ) || (
    select array_agg('trial:' || (u.metadata ->> 'stripe_subscription_id'))
    from public.token_usage as u
    where u.grant_key is not null and u.metadata ->> 'stripe_subscription_id' is not null and u.action_type = 'trial_grant'
      and u.grant_key <> 'trial:' || (u.metadata ->> 'stripe_subscription_id')
  ) || (
    select array_agg('admin:' || (u.metadata ->> 'request_id'))
    from public.token_usage as u
    where u.grant_key is not null and u.metadata ->> 'request_id' is not null
      and u.grant_key <> 'admin:' || (u.metadata ->> 'request_id')
  )) as f (fact)
)
select
  (select count(*) = count(distinct f.fact) from facts as f)
  and not exists (select from facts as f join public.token_usage as c on c.grant_key = f.fact)
  and (
    select count(*) = count(distinct p.payment)
    from unnest((
      select array_agg(hashtextextended(u.metadata ->> 'stripe_payment_intent', current_setting('audit.seed')::bigint))
      from public.token_usage as u
      where u.grant_key is not null and u.metadata ->> 'stripe_payment_intent' is not null and u.action_type <> 'admin_deduct'
    )) as p (payment)
  )
  -- Every grant and deduction has a key, and nothing else.
  and exists (
    select from pg_catalog.pg_constraint as c
    where c.conrelid = 'public.token_usage'::regclass and c.conname = 'token_usage_grant_key_needed' and c.contype = 'c' and c.convalidated
      and regexp_replace(pg_get_constraintdef(c.oid), '\s+', ' ', 'g') = 'CHECK (((grant_key IS NOT NULL) = (action_type = ANY (ARRAY[''admin_grant''::text, ''admin_deduct''::text, ''subscription_grant''::text, ''trial_grant''::text, ''token_pack_purchase''::text]))))')
  and exists (
    select from pg_catalog.pg_index as i
    where i.indrelid = 'public.token_usage'::regclass
      and i.indisunique and i.indisvalid and i.indisready and i.indimmediate and i.indpred is null
      and i.indnkeyatts = 1 and i.indexprs is null
      and i.indkey[0] = (
        select a.attnum from pg_catalog.pg_attribute as a where a.attrelid = i.indrelid and a.attname = 'grant_key'))
as clear
