-- title: A reset names a grant that does not exist
-- stages: unify
-- turns-red: reset-goes-with-grant
-- subject: select u.id::text from public.token_usage as u where u.grant_key like 'invoice:%:reset'
update public.token_usage set grant_key = 'invoice:in_gone:reset', metadata = metadata || '{"stripe_invoice_id": "in_gone"}'
where id = (select u.id from public.token_usage as u where u.grant_key like 'invoice:%:reset' order by u.created_at, u.id limit 1);
