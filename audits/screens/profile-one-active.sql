-- An index holds that nobody has two; that nobody has none is looked up.
select
  not exists (
    select from public.token_usage as u
    where not exists (
      select from public.user_profiles as p where p.user_id = u.user_id and p.is_active and not p.is_draft))
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
