-- proves: Resets are few: the common scan collects them, and the grant of each is looked up by its key.
select
  not exists (
    select
    from unnest((
      select array_agg(u.grant_key) from public.token_usage as u where u.grant_key like '%:reset'
    ), (
      select array_agg(u.user_id) from public.token_usage as u where u.grant_key like '%:reset'
    ), (
      select array_agg(u.created_at) from public.token_usage as u where u.grant_key like '%:reset'
    ), (
      select array_agg(u.balance_after) from public.token_usage as u where u.grant_key like '%:reset'
    )) as r (grant_key, user_id, created_at, balance_after)
    left join public.token_usage as g on g.grant_key = left(r.grant_key, -length(':reset'))
    where g.id is null
      or g.user_id <> r.user_id
      or r.balance_after <> 0
      or r.balance_after is not null and (g.balance_before is distinct from 0 or g.created_at <= r.created_at))
  and 0 = (
    select count(*)
    from public.token_usage as u
    where u.balance_before <> 0 and u.grant_key is not null and u.action_type = 'subscription_grant'
      and u.metadata ->> 'plan' = 'vision_pro_annual')
  -- Every grant and deduction has a key, and nothing else.
  and exists (
    select from pg_catalog.pg_constraint as c
    where c.conrelid = 'public.token_usage'::regclass and c.conname = 'token_usage_grant_key_needed' and c.contype = 'c' and c.convalidated
      and regexp_replace(pg_get_constraintdef(c.oid), '\s+', ' ', 'g') = 'CHECK (((grant_key IS NOT NULL) = (action_type = ANY (ARRAY[''admin_grant''::text, ''admin_deduct''::text, ''subscription_grant''::text, ''trial_grant''::text, ''token_pack_purchase''::text]))))')
as clear
