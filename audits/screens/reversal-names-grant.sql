-- proves: Nothing was ever reversed.
select
  0 = (select count(*) from public.token_usage as u where u.grant_key is not null and u.metadata ->> 'reverses' is not null)
  -- Every grant and deduction has a key, and nothing else.
  and exists (
    select from pg_catalog.pg_constraint as c
    where c.conrelid = 'public.token_usage'::regclass and c.conname = 'token_usage_grant_key_needed' and c.contype = 'c' and c.convalidated
      and regexp_replace(pg_get_constraintdef(c.oid), '\s+', ' ', 'g') = 'CHECK (((grant_key IS NOT NULL) = (action_type = ANY (ARRAY[''admin_grant''::text, ''admin_deduct''::text, ''subscription_grant''::text, ''trial_grant''::text, ''token_pack_purchase''::text]))))')
as clear
