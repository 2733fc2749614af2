-- proves: An index holds that nobody has two active profiles: only the others are compared.
select
  0 = (
    select count(*)
    from public.user_profiles as p
    join public.user_profiles as a on a.user_id = p.user_id and a.is_active and not a.is_draft
    where (p.is_active and not p.is_draft) is not true
      and (coalesce(p.vibe_assistant_tokens_remaining, 0), coalesce(p.vibe_assistant_tokens_used, 0),
           coalesce(p.vibe_assistant_total_cost, 0), coalesce(p.token_rollover_cycles, 0), p.token_last_drip_date)
        is distinct from
          (coalesce(a.vibe_assistant_tokens_remaining, 0), coalesce(a.vibe_assistant_tokens_used, 0),
           coalesce(a.vibe_assistant_total_cost, 0), coalesce(a.token_rollover_cycles, 0), a.token_last_drip_date))
  -- One active profile a user at most.
  and exists (
    select from pg_catalog.pg_index as i
    where i.indrelid = 'public.user_profiles'::regclass and i.indisunique and i.indisvalid and i.indisready and i.indimmediate
      and pg_get_indexdef(i.indexrelid) like '% USING btree (user_id) WHERE (is_active AND (NOT is_draft))')
as clear
