-- title: A deduction calls itself the reversal of a row that does not exist
-- stages: unify
-- turns-red: reversal-names-grant
-- subject: select u.id::text from public.token_usage as u where u.action_type = 'admin_deduct'
update public.token_usage set metadata = metadata || '{"reverses": "nothing"}'
where id = (select u.id from public.token_usage as u where u.grant_key like 'admin:%' and u.action_type = 'admin_deduct' order by u.created_at, u.id limit 1);
