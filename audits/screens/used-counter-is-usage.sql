-- proves: Each user has a weight; the weighted sums of use and of counters agree when all counters do. Users with
--   copied rows are not judged: what is theirs is taken off again.
-- stages: unify, retired
select
  coalesce((
    select sum((uuid_hash_extended(u.user_id, current_setting('audit.seed')::bigint) & 2147483647) * u.tokens_used)
    from public.token_usage as u
    where u.grant_key is null and u.success), 0)
  - coalesce((
    select sum((uuid_hash_extended(p.user_id, current_setting('audit.seed')::bigint) & 2147483647) * p.vibe_assistant_tokens_used)
    from public.user_profiles as p
    where p.is_active and not p.is_draft), 0)
  = coalesce((
    select sum((uuid_hash_extended(c.user_id, current_setting('audit.seed')::bigint) & 2147483647) * (o.used - o.counted))
    from (
      select distinct c.user_id
      from public.token_usage as c
      where c.metadata ->> 'legacy_table' is not null and c.success and c.grant_key is null
    ) as c
    cross join lateral (
      select
        coalesce((
          select sum(u.tokens_used)
          from public.token_usage as u
          where u.user_id = c.user_id and u.grant_key is null and u.success), 0) as used,
        coalesce((
          select sum(p.vibe_assistant_tokens_used)
          from public.user_profiles as p
          where p.user_id = c.user_id and p.is_active and not p.is_draft), 0) as counted
    ) as o), 0)
  -- One active profile a user at most.
  and exists (
    select from pg_catalog.pg_index as i
    where i.indrelid = 'public.user_profiles'::regclass and i.indisunique and i.indisvalid and i.indisready and i.indimmediate
      and pg_get_indexdef(i.indexrelid) like '% USING btree (user_id) WHERE (is_active AND (NOT is_draft))')
  -- Every grant and deduction has a key, and nothing else.
  and exists (
    select from pg_catalog.pg_constraint as c
    where c.conrelid = 'public.token_usage'::regclass and c.conname = 'token_usage_grant_key_needed' and c.contype = 'c' and c.convalidated
      and regexp_replace(pg_get_constraintdef(c.oid), '\s+', ' ', 'g') = 'CHECK (((grant_key IS NOT NULL) = (action_type = ANY (ARRAY[''admin_grant''::text, ''admin_deduct''::text, ''subscription_grant''::text, ''trial_grant''::text, ''token_pack_purchase''::text]))))')
as clear
