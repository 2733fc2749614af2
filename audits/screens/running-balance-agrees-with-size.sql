-- proves: Postgres itself holds the rule where its CHECKs are there and validated; a CHECK passes what is null.
select
  (
    exists (
      select from pg_catalog.pg_constraint as c
      where c.conrelid = 'public.token_usage'::regclass and c.conname = 'token_usage_balances_paired' and c.contype = 'c' and c.convalidated
        and regexp_replace(pg_get_constraintdef(c.oid), '\s+', ' ', 'g') = 'CHECK ((((balance_before IS NULL) = (balance_after IS NULL)) AND ((balance_before >= 0) IS NOT FALSE) AND ((balance_after >= 0) IS NOT FALSE)))')
    and exists (
      select from pg_catalog.pg_constraint as c
      where c.conrelid = 'public.token_usage'::regclass and c.conname = 'token_usage_balances_agree' and c.contype = 'c' and c.convalidated
        and regexp_replace(pg_get_constraintdef(c.oid), '\s+', ' ', 'g') = 'CHECK (((balance_after IS NULL) OR (balance_after = CASE WHEN (NOT success) THEN balance_before WHEN (action_type = ANY (ARRAY[''admin_grant''::text, ''subscription_grant''::text, ''trial_grant''::text, ''token_pack_purchase''::text])) THEN (balance_before + tokens_used) ELSE GREATEST((balance_before - tokens_used), (0)::bigint) END)))')
    and 3 = (
      select count(*) from pg_catalog.pg_attribute as a
      where a.attrelid = 'public.token_usage'::regclass and a.attname in ('tokens_used', 'success', 'action_type') and a.attnotnull)
  )
  or 0 = (
    select count(*)
    from public.token_usage as u
    where num_nonnulls(u.balance_before, u.balance_after) > 0
      and (u.balance_before < 0 or u.balance_after is distinct from
        case
          when not u.success then u.balance_before
          when u.action_type in ('admin_grant', 'subscription_grant', 'trial_grant', 'token_pack_purchase') then u.balance_before + u.tokens_used
          else greatest(u.balance_before - u.tokens_used, 0)
        end)
  )
as clear
