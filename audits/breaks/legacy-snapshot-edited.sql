-- title: The legacy row of a drip says another balance than the ledger
-- stages: unify
-- turns-red: legacy-row-in-ledger
-- subject: select d.id::text from public.token_drips as d
update public.token_drips set balance_before = balance_before + 1, balance_after = balance_after + 1,
  rollover_from_previous = rollover_from_previous + 1
where id = (
  select d.id from public.token_drips as d
  where d.metadata ? 'token_usage_id' and d.balance_before > 0 and d.expired_tokens = 0
  order by d.drip_date desc, d.id
  limit 1);
