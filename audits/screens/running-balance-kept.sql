-- proves: Its own question, asked of each row.
select 0 = (
  select count(*)
  from public.token_usage as u
  where (u.balance_before is null or u.balance_after is null)
    and u.created_at > (select s.applied_at from public.token_ledger_stage as s where s.stage = 'unify')
) as clear
