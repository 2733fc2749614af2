-- proves: What the functions write to both tables are all subscription grants since unify: two multisets agree, each
--   summed up by a hash of every row's id, user, size and balance. The other legacy rows are few: each copied row is
--   looked up by its source, which a unique index holds to one, and there are as many of the one as of the other.
with legacy as materialized (
  select
    l.source, l.source_id, l.user_id, l.tokens, l.moved, l.adds, l.balance_after, l.usage_id,
    -- A uuid as Postgres writes it; no other text is the id of a row.
    l.usage_id like '________-____-____-____-____________' and translate(l.usage_id, '0123456789abcdef', '') = '----' as linked
  from (
    select
      'token_transactions' as source, t.id as source_id, t.user_id, r.tokens, r.moved, r.type,
      case
        when r.type in (
          'annual_subscription_grant', 'subscription_grant', 'renewal_grant', 'trial_grant', 'pack_purchase',
          'token_pack_purchase', 'admin_grant') then true
        when r.type in (
          'admin_deduct', 'chat', 'refinement', 'blueprint', 'assessment', 'audio_generation', 'transcription',
          'image_generation', 'assessment_scoring', 'vision_generation', 'vision_refinement', 'blueprint_generation',
          'chat_conversation', 'life_vision_category_summary', 'life_vision_master_assembly', 'prompt_suggestions',
          'frequency_flip') then false
      end as adds,
      r.balance_after, r.usage_id
    from public.token_transactions as t
    cross join lateral (select to_jsonb(t) as j offset 0) as x
    cross join lateral (
      select coalesce(x.j ->> 'action_type', x.j ->> 'transaction_type') as type,
        abs(coalesce(x.j ->> 'tokens_used', x.j ->> 'token_amount')::bigint) as tokens,
        coalesce(-(x.j ->> 'tokens_used')::bigint, (x.j ->> 'token_amount')::bigint) as moved,
        coalesce(x.j ->> 'tokens_remaining', x.j ->> 'balance_after')::bigint as balance_after,
        x.j -> 'metadata' ->> 'token_usage_id' as usage_id,
        (x.j ->> 'created_at')::timestamptz as created_at) as r
    union all
    select
      'token_drips', d.id, d.user_id, d.drip_amount, d.drip_amount, 'drip', true, d.balance_after, d.metadata ->> 'token_usage_id'
    from public.token_drips as d
  ) as l
  -- Of rows of 0 unify copies use alone.
  where l.tokens <> 0 or l.adds is false and l.type <> 'admin_deduct'
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
  coalesce((
    select sum(hashint8extended(u.balance_after, hashint8extended(u.tokens_used, uuid_hash_extended(u.user_id, uuid_hash_extended(u.id, current_setting('audit.seed')::bigint)))))
    from public.token_usage as u
    where u.grant_key is not null and u.action_type = 'subscription_grant' and u.balance_after is not null), 0)
  = coalesce((
    select sum(hashint8extended(l.balance_after, hashint8extended(l.tokens, uuid_hash_extended(l.user_id, uuid_hash_extended(l.usage_id::uuid, current_setting('audit.seed')::bigint)))))
    from legacy as l
    where l.linked), 0)
  and 0 = (select count(*) from legacy as l where l.linked and (l.adds is not true or l.balance_after is null or l.moved <> l.tokens))
  -- Postgres hashes a bigint like another one that is 2³² + 1 larger.
  and 0 = (
    select count(*)
    from public.token_usage as u
    where u.grant_key is not null and u.action_type = 'subscription_grant'
      and (u.balance_after not between 0 and 2147483647 or u.tokens_used not between 0 and 2147483647))
  and 0 = (
    select count(*)
    from legacy as l
    where l.balance_after not between 0 and 2147483647 or l.tokens not between 0 and 2147483647)
  and 0 = (
    select count(*)
    from copied as c
    left join legacy as l on l.source = c.source and l.source_id::text = c.source_id and l.linked is not true
    where l.source is null
      or c.user_id <> l.user_id
      or c.tokens_used <> l.tokens
      or c.balance_after <> l.balance_after
      or c.adds <> l.adds)
  and (select count(*) from legacy as l where l.linked is not true) = (select count(*) from copied)
  and exists (
    select from pg_catalog.pg_index as i
    where i.indrelid = 'public.token_usage'::regclass and i.indisunique and i.indisvalid and i.indisready and i.indimmediate and i.indpred is null
      and replace(pg_get_indexdef(i.indexrelid), 'public.', '') like '%USING btree (((metadata ->> ''legacy_table''::text)), ((metadata ->> ''legacy_id''::text)))')
  and 3 = (
    select count(*)
    from pg_catalog.pg_constraint as c
    where c.contype = 'p' and pg_get_constraintdef(c.oid) = 'PRIMARY KEY (id)'
      and c.conrelid in ('public.token_usage'::regclass, 'public.token_transactions'::regclass, 'public.token_drips'::regclass))
  -- Every grant and deduction has a key, and nothing else.
  and exists (
    select from pg_catalog.pg_constraint as c
    where c.conrelid = 'public.token_usage'::regclass and c.conname = 'token_usage_grant_key_needed' and c.contype = 'c' and c.convalidated
      and regexp_replace(pg_get_constraintdef(c.oid), '\s+', ' ', 'g') = 'CHECK (((grant_key IS NOT NULL) = (action_type = ANY (ARRAY[''admin_grant''::text, ''admin_deduct''::text, ''subscription_grant''::text, ''trial_grant''::text, ''token_pack_purchase''::text]))))')
as clear
