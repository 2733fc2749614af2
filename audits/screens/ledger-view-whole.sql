-- Two multisets of rows, what the view shows and what the tables hold, each summed up by a hash of every row's id:
-- equal sums, equal multisets. Ids are primary keys, so nothing is held twice.
select
  coalesce((
    select sum(uuid_hash_extended(l.source_id, hashtextextended(l.source_table, current_setting('audit.seed')::bigint)))
    from public.token_ledger as l
    where l.source_action <> 'rollover_expired'), 0)
  = coalesce((
    select sum(uuid_hash_extended(u.id, hashtextextended('token_usage', current_setting('audit.seed')::bigint)))
    from public.token_usage as u), 0)
  + coalesce((
    select sum(uuid_hash_extended(l.id, hashtextextended(l.source_table, current_setting('audit.seed')::bigint)))
    from (
      select 'token_transactions' as source_table, t.id, t.metadata from public.token_transactions as t
      union all
      select 'token_drips', d.id, d.metadata from public.token_drips as d
    ) as l
    where l.metadata ->> 'token_usage_id' is null
      and not exists (
        select from public.token_usage as c
        where c.metadata ->> 'legacy_table' = l.source_table and c.metadata ->> 'legacy_id' = l.id::text)), 0)
  and (select count(*) from public.token_ledger as l where l.source_table is null or l.source_id is null) = 0
  and 3 = (
    select count(*)
    from pg_catalog.pg_constraint as c
    where c.contype = 'p' and array_length(c.conkey, 1) = 1
      and c.conrelid in ('public.token_usage'::regclass, 'public.token_transactions'::regclass, 'public.token_drips'::regclass)
      and pg_get_constraintdef(c.oid) = 'PRIMARY KEY (id)')
as clear
