-- title: A copied row loses its link to the legacy row
-- stages: unify
-- turns-red: legacy-row-in-ledger, grant-key-fits-row
-- subject: select u.id::text from public.token_usage as u where u.grant_key like 'legacy:token_transactions:%' union all select t.id::text from public.token_transactions as t
update public.token_usage set metadata = metadata - 'legacy_id'
where id = (select u.id from public.token_usage as u where u.grant_key like 'legacy:token_transactions:%' order by u.created_at, u.id limit 1);
