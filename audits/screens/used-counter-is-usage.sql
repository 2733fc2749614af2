-- proves: Each user has a weight; the weighted sums of use and of counters agree when all counters do. Users with
--   copied rows are not judged: what is theirs is taken off again.
select
  coalesce((
    select sum((uuid_hash_extended(u.user_id, current_setting('audit.seed')::bigint) & 2147483647) * u.tokens_used)
    from public.token_usage as u
    where u.success and u.action_type not in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase')), 0)
  - coalesce((
    select sum((uuid_hash_extended(p.user_id, current_setting('audit.seed')::bigint) & 2147483647) * p.vibe_assistant_tokens_used)
    from public.user_profiles as p
    where p.is_active and not p.is_draft), 0)
  = coalesce((
    select sum((uuid_hash_extended(c.user_id, current_setting('audit.seed')::bigint) & 2147483647) * (o.used - o.counted))
    from (
      select distinct c.user_id
      from public.token_usage as c
      where c.metadata ->> 'legacy_table' is not null and c.success and c.action_type not in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase')
    ) as c
    cross join lateral (
      select
        coalesce((
          select sum(u.tokens_used)
          from public.token_usage as u
          where u.user_id = c.user_id and u.success and u.action_type not in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase')), 0) as used,
        coalesce((
          select sum(p.vibe_assistant_tokens_used)
          from public.user_profiles as p
          where p.user_id = c.user_id and p.is_active and not p.is_draft), 0) as counted
    ) as o), 0)
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
