-- title: A writer of the old sign convention
-- stages: unify
-- turns-red: size-positive, guard-constraints
-- subject: select 'token_usage_size' union all select u.id::text from public.token_usage as u where not u.success
alter table public.token_usage drop constraint token_usage_size;
update public.token_usage set tokens_used = -5
where id = (select u.id from public.token_usage as u where not u.success order by u.created_at, u.id limit 1);
