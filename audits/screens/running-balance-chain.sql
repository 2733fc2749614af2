-- proves: What a row leaves, another row of the user starts from: between the opening and the balance every number is
--   left as often as it is started from. Each number is hashed with its user; equal sums, equal numbers. That
--   holds in any order, so the rows of the last ten days are also followed one by one; for the order of older
--   rows there is the night that runs every select.
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
    select sum((hashint8extended(0, uuid_hash_extended(o.user_id, current_setting('audit.seed')::bigint)) >> 1) - (case when o.total between 0 and 2147483647 then hashint8extended(o.total, uuid_hash_extended(o.user_id, current_setting('audit.seed')::bigint)) >> 1 end))
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
      group by u.user_id
    ) as o), 0)
  and 0 = (select count(*) from public.token_usage as u where (u.balance_before is null) <> (u.balance_after is null))
  -- Postgres hashes a bigint like another one that is 2³² + 1 larger.
  and 0 = (
    select count(*)
    from public.token_usage as u
    where u.balance_before not between 0 and 2147483647 or u.balance_after not between 0 and 2147483647)
  and 0 = (
    select count(*)
    from (
      select
        u.user_id, u.balance_before, u.created_at,
        lag(u.balance_after) over of_user as left_before,
        row_number() over of_user as place,
        last_value(u.balance_after) over (of_user rows between current row and unbounded following) as left_last
      from public.token_usage as u
      where u.created_at > current_setting('audit.as_of')::timestamptz - interval '10 days'
        and u.balance_after is not null
      window of_user as (partition by u.user_id order by u.created_at, u.id)
    ) as c
    where case
      when c.place > 1 then c.balance_before is distinct from c.left_before
      -- By the sums, such a row starts from what the row before these days left; only a circle could lie elsewhere.
      else c.balance_before = c.left_last and c.balance_before is distinct from coalesce(
        (
          select o.balance_after
          from public.token_usage as o
          where o.user_id = c.user_id and o.balance_after is not null and o.created_at < c.created_at
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
        0)
    end)
  -- One active profile a user at most.
  and exists (
    select from pg_catalog.pg_index as i
    where i.indrelid = 'public.user_profiles'::regclass and i.indisunique and i.indisvalid and i.indisready and i.indimmediate
      and pg_get_indexdef(i.indexrelid) like '% USING btree (user_id) WHERE (is_active AND (NOT is_draft))')
as clear
