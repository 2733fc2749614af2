-- proves: Looked at for the rows of the last ten days; for older ones there is the night that runs every select.
select not exists (
  select
  from public.token_usage as u
  where u.created_at > current_setting('audit.as_of')::timestamptz - interval '10 days'
    and u.created_at > (select s.applied_at from public.token_ledger_stage as s where s.stage = 'unify')
  group by u.user_id, u.created_at
  having count(*) > 1
) as clear
