-- proves: Postgres itself holds the rule where its CHECK is there and validated, and sizes are whole by their type.
select
  (
    exists (
      select from pg_catalog.pg_constraint as c
      where c.conrelid = 'public.token_usage'::regclass and c.conname = 'token_usage_size' and c.contype = 'c' and c.convalidated
        and regexp_replace(pg_get_constraintdef(c.oid), '\s+', ' ', 'g') = 'CHECK ( CASE WHEN (action_type = ANY (ARRAY[''admin_grant''::text, ''admin_deduct''::text, ''subscription_grant''::text, ''trial_grant''::text, ''token_pack_purchase''::text])) THEN (tokens_used > 0) ELSE (tokens_used >= 0) END)')
    and exists (
      select from pg_catalog.pg_attribute as a
      where a.attrelid = 'public.token_usage'::regclass and a.attname = 'tokens_used' and a.atttypid in ('int4'::regtype, 'int8'::regtype))
  )
  or 0 = (
    select count(*)
    from public.token_usage as u
    where u.tokens_used < case when u.action_type in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase') then 1 else 0 end
       or u.tokens_used % 1 <> 0
  )
as clear
