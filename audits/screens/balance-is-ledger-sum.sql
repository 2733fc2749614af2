-- proves: Each user has a weight; the weighted sums agree when all balances do.
select
  coalesce((
    select sum((uuid_hash_extended(u.user_id, current_setting('audit.seed')::bigint) & 2147483647) * coalesce(
      u.balance_after - u.balance_before,
      case
        when not u.success then 0
        when u.action_type in ('admin_grant', 'subscription_grant', 'trial_grant', 'token_pack_purchase') then u.tokens_used
        else -u.tokens_used
      end))
    from public.token_usage as u), 0)
  = coalesce((
    select sum((uuid_hash_extended(p.user_id, current_setting('audit.seed')::bigint) & 2147483647) * p.vibe_assistant_tokens_remaining)
    from public.user_profiles as p
    where p.is_active and not p.is_draft), 0)
  -- One active profile a user at most.
  and exists (
    select from pg_catalog.pg_index as i
    where i.indrelid = 'public.user_profiles'::regclass and i.indisunique and i.indisvalid and i.indisready and i.indimmediate
      and pg_get_indexdef(i.indexrelid) like '% USING btree (user_id) WHERE (is_active AND (NOT is_draft))')
as clear
