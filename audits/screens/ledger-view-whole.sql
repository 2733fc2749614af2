-- proves: The views are as the migrations write them, or two multisets of rows agree, what the view shows and what the
--   tables hold: each is summed up by a hash of every row's id. Ids are primary keys, so nothing is held twice.
select
  md5(pg_get_viewdef('public.token_ledger'::regclass)) in ('06648b4b3584cea54060b7e6b65ed1fc', 'e9d22cb73d0478c9b56a5f34d53e667d')
    and md5(pg_get_viewdef('public.token_ledger_legacy'::regclass)) = 'bab38fb894dd09c5f6191a910011120c'
  or coalesce((
    select sum(uuid_hash_extended(l.source_id, hashtextextended(l.source_table, current_setting('audit.seed')::bigint)))
    from public.token_ledger as l
    where l.source_action <> 'rollover_expired'), 0)
  = coalesce((
    select sum(uuid_hash_extended(u.id, hashtextextended('token_usage', current_setting('audit.seed')::bigint)))
    from public.token_usage as u), 0)
  + coalesce((
    select sum(uuid_hash_extended(l.id, hashtextextended(l.source_table, current_setting('audit.seed')::bigint)))
    from (
      select 'token_transactions' as source_table, t.id, to_jsonb(t) -> 'metadata' as metadata from public.token_transactions as t
      union all
      select 'token_drips', d.id, d.metadata from public.token_drips as d
    ) as l
    where l.metadata ->> 'token_usage_id' is null
      and not exists (
        select from public.token_usage as c
        where c.metadata ->> 'legacy_table' = l.source_table and c.metadata ->> 'legacy_id' = l.id::text)), 0)
  and 0 = (select count(*) from public.token_ledger as l where l.source_table is null or l.source_id is null)
  and 3 = (
    select count(*)
    from pg_catalog.pg_constraint as c
    where c.contype = 'p' and pg_get_constraintdef(c.oid) = 'PRIMARY KEY (id)'
      and c.conrelid in ('public.token_usage'::regclass, 'public.token_transactions'::regclass, 'public.token_drips'::regclass))
as clear
