-- proves: What a row leaves, another row of the user starts from: between the opening and the balance every number is
--   left as often as it is started from. Each number is hashed with its user; equal sums, equal numbers. That
--   holds in any order, so the rows of the last ten days are also followed one by one; each older row was among
--   them in a night that ran every select.
-- given: running-balance-kept
select
  coalesce((
    select sum((hashint8extended(u.balance_after, uuid_hash_extended(u.user_id, current_setting('audit.seed')::bigint)) >> 1) - (hashint8extended(u.balance_before, uuid_hash_extended(u.user_id, current_setting('audit.seed')::bigint)) >> 1))
    from public.token_usage as u), 0)
  + coalesce((
    select sum((hashint8extended(0, uuid_hash_extended(p.user_id, current_setting('audit.seed')::bigint)) >> 1) - (hashint8extended(coalesce(p.vibe_assistant_tokens_remaining, 0), uuid_hash_extended(p.user_id, current_setting('audit.seed')::bigint)) >> 1))
    from public.user_profiles as p
    where p.is_active and not p.is_draft), 0)
  = coalesce((
    select sum((hashint8extended(0, uuid_hash_extended(o.user_id, current_setting('audit.seed')::bigint)) >> 1) - (hashint8extended(o.total, uuid_hash_extended(o.user_id, current_setting('audit.seed')::bigint)) >> 1))
    from (
      select
        u.user_id,
        sum(case
          when not u.success then 0
          when u.action_type in ('admin_grant', 'subscription_grant', 'trial_grant', 'token_pack_purchase') then u.tokens_used
          else -u.tokens_used
        end)::bigint as total
      from public.token_usage as u
      where u.balance_after is null
        and u.created_at <= (select s.applied_at from public.token_ledger_stage as s where s.stage = 'unify')
      group by u.user_id
    ) as o), 0)
  and 0 = (select count(*) from public.token_usage as u where (u.balance_before is null) <> (u.balance_after is null))
  and 0 = (
    select count(*)
    from (
      select
        u.user_id, u.id, u.created_at, u.balance_before, u.balance_after,
        lag(u.balance_after) over (partition by u.user_id order by u.created_at, u.id) as left_before
      from public.token_usage as u
      where u.created_at > current_setting('audit.as_of')::timestamptz - interval '10 days'
        and u.balance_after is not null
    ) as c
    where c.balance_before is distinct from coalesce(
      c.left_before,
      (
        select o.balance_after
        from public.token_usage as o
        where o.user_id = c.user_id and o.balance_after is not null
          and o.created_at <= current_setting('audit.as_of')::timestamptz - interval '10 days'
        order by o.created_at desc, o.id desc
        limit 1
      ),
      (
        select sum(case
          when not o.success then 0
          when o.action_type in ('admin_grant', 'subscription_grant', 'trial_grant', 'token_pack_purchase') then o.tokens_used
          else -o.tokens_used
        end)
        from public.token_usage as o
        where o.user_id = c.user_id and o.balance_after is null
      ),
      0))
  -- One active profile a user at most, and no row without a user.
  and exists (
    select from pg_catalog.pg_index as i
    where i.indrelid = 'public.user_profiles'::regclass and i.indisunique and i.indisvalid and i.indisready and i.indimmediate
      and pg_get_indexdef(i.indexrelid) like '% USING btree (user_id) WHERE (is_active AND (NOT is_draft))')
  and not exists (
    select from pg_catalog.pg_attribute as a
    where a.attrelid in ('public.token_usage'::regclass, 'public.user_profiles'::regclass)
      and a.attname = 'user_id' and not a.attnotnull)
as clear
