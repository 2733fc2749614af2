-- title: A reset names another invoice than its key
-- stages: unify
-- turns-red: grant-key-fits-row
-- subject: select u.id::text from public.token_usage as u where u.grant_key like 'invoice:%:reset'
update public.token_usage set metadata = metadata || '{"stripe_invoice_id": "in_another"}'
where id = (select u.id from public.token_usage as u where u.grant_key like 'invoice:%:reset' order by u.created_at, u.id limit 1);
