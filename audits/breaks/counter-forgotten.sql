-- title: A writer charges the balance and forgets the counter
-- stages: unify
-- turns-red: used-counter-is-usage
-- subject: select user_id::text from public.token_usage where id = (select u.id from public.token_usage as u where u.action_type = 'chat_conversation' and u.success and u.tokens_used > 0 and u.balance_after > 0 and u.balance_after = u.balance_before - u.tokens_used order by u.created_at, u.id limit 1)
update public.user_profiles set vibe_assistant_tokens_used = vibe_assistant_tokens_used - 1
where user_id = (select u.user_id from public.token_usage as u where u.id = (select u.id from public.token_usage as u where u.action_type = 'chat_conversation' and u.success and u.tokens_used > 0 and u.balance_after > 0 and u.balance_after = u.balance_before - u.tokens_used order by u.created_at, u.id limit 1));
