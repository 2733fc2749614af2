-- proves: Legacy rows are few. Each that the functions wrote is looked up by the id of its counterpart; each copied
--   row by its source, which a unique index holds to one; what is neither written nor copied is counted.
with legacy as materialized (
  select
    l.source, l.source_id, l.user_id, l.tokens, l.adds, l.balance_after,
    -- A uuid as Postgres writes it; no other text is the id of a row.
    case when l.usage_id like '________-____-____-____-____________' and translate(l.usage_id, '0123456789abcdef', '') = '----'
      then l.usage_id::uuid end as usage_id
  from (
    select
      'token_transactions' as source, t.id::text as source_id, t.user_id, abs(t.tokens_used::bigint) as tokens,
      case when t.action_type::text <> 'manual_adjustment' then t.action_type::text in (
        'annual_subscription_grant', 'subscription_grant', 'renewal_grant', 'trial_grant', 'pack_purchase',
        'token_pack_purchase', 'admin_grant') end as adds,
      t.tokens_remaining as balance_after, t.metadata ->> 'token_usage_id' as usage_id
    from public.token_transactions as t
    where t.tokens_used <> 0
    union all
    select
      'token_drips', d.id::text, d.user_id, d.drip_amount, true, d.balance_after, d.metadata ->> 'token_usage_id'
    from public.token_drips as d
    where d.drip_amount <> 0
  ) as l
),
copied as materialized (
  select
    c.metadata ->> 'legacy_table' as source, c.metadata ->> 'legacy_id' as source_id,
    c.id, c.user_id, c.tokens_used, c.balance_after,
    c.action_type in ('admin_grant', 'subscription_grant', 'trial_grant', 'token_pack_purchase') as adds
  from public.token_usage as c
  where c.metadata ->> 'legacy_table' is not null
)
select
  0 = (
    select count(*)
    from legacy as l
    left join lateral (
      select u.user_id, u.tokens_used, u.balance_after,
        u.action_type in ('admin_grant', 'subscription_grant', 'trial_grant', 'token_pack_purchase') as adds
      from public.token_usage as u
      where u.id = l.usage_id
      limit 1
    ) as u on true
    where l.usage_id is not null
      and (u.user_id is null
        or u.user_id <> l.user_id
        or u.tokens_used <> l.tokens
        or u.balance_after <> l.balance_after
        or u.adds <> l.adds))
  and 0 = (
    select count(*)
    from copied as c
    left join legacy as l on l.source = c.source and l.source_id = c.source_id
    where l.source is null
      or l.usage_id is not null
      or c.user_id <> l.user_id
      or c.tokens_used <> l.tokens
      or c.balance_after <> l.balance_after
      or c.adds <> l.adds)
  and (select count(*) from legacy as l where l.usage_id is null) = (select count(*) from copied)
  and exists (
    select from pg_catalog.pg_index as i
    where i.indrelid = 'public.token_usage'::regclass and i.indisunique and i.indisvalid and i.indisready and i.indimmediate and i.indpred is null
      and replace(pg_get_indexdef(i.indexrelid), 'public.', '') like '%USING btree (((metadata ->> ''legacy_table''::text)), ((metadata ->> ''legacy_id''::text)))')
  and 3 = (
    select count(*)
    from pg_catalog.pg_constraint as c
    where c.contype = 'p' and pg_get_constraintdef(c.oid) = 'PRIMARY KEY (id)'
      and c.conrelid in ('public.token_usage'::regclass, 'public.token_transactions'::regclass, 'public.token_drips'::regclass))
as clear
