-- title: A script clears a grant's key
-- stages: unify
-- turns-red: grant-has-key, guard-constraints
-- subject: select 'token_usage_grant_key_needed' union all select u.id::text from public.token_usage as u where u.action_type = 'trial_grant'
alter table public.token_usage drop constraint token_usage_grant_key_needed;
update public.token_usage set grant_key = null
where id = (select u.id from public.token_usage as u where u.action_type = 'trial_grant' order by u.created_at, u.id limit 1);
