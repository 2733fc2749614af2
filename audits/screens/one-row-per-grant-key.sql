-- proves: Postgres itself holds the rule: a valid, whole unique index.
select exists (
  select from pg_catalog.pg_index as i
  where i.indrelid = 'public.token_usage'::regclass
    and i.indisunique and i.indisvalid and i.indisready and i.indimmediate and i.indpred is null
    and i.indkey[0] = (
        select a.attnum from pg_catalog.pg_attribute as a where a.attrelid = i.indrelid and a.attname = 'grant_key')
    and i.indnkeyatts = 1 and i.indexprs is null
) as clear
