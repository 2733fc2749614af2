-- title: The size of a row is edited, its balances are not
-- stages: unify
-- turns-red: running-balance-agrees-with-size, used-counter-is-usage, guard-constraints
-- subject: select id::text from public.token_usage where id = (select u.id from public.token_usage as u where u.action_type = 'chat_conversation' and u.success and u.tokens_used > 0 and u.balance_after > 0 and u.balance_after = u.balance_before - u.tokens_used order by u.created_at, u.id limit 1) union all select user_id::text from public.token_usage where id = (select u.id from public.token_usage as u where u.action_type = 'chat_conversation' and u.success and u.tokens_used > 0 and u.balance_after > 0 and u.balance_after = u.balance_before - u.tokens_used order by u.created_at, u.id limit 1) union all select 'token_usage_balances_agree'
alter table public.token_usage drop constraint token_usage_balances_agree;
update public.token_usage set tokens_used = tokens_used + 1
where id = (select u.id from public.token_usage as u where u.action_type = 'chat_conversation' and u.success and u.tokens_used > 0 and u.balance_after > 0 and u.balance_after = u.balance_before - u.tokens_used order by u.created_at, u.id limit 1);
