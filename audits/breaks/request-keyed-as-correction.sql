-- title: What an admin asked for is keyed as a reviewed correction
-- stages: unify
-- turns-red: grant-key-fits-row
-- subject: select u.id::text from public.token_usage as u where u.grant_key like 'opening:%'
update public.token_usage set grant_key = 'opening:' || repeat('0', 64) || ':1'
where id = (select u.id from public.token_usage as u where u.grant_key like 'admin:%' order by u.created_at, u.id limit 1);
