-- title: A pack of another size than the one sold
-- stages: unify
-- needs: evidence
-- turns-red: grant-size-as-owed
-- subject: select u.id::text from public.token_usage as u where u.user_id = (select u.user_id from public.token_usage as u group by u.user_id having count(*) = 1 and min(u.action_type) = 'token_pack_purchase' and count(u.balance_after) = 1 order by u.user_id limit 1)
update public.user_profiles set vibe_assistant_tokens_remaining = vibe_assistant_tokens_remaining + 1000
where user_id = (select u.user_id from public.token_usage as u group by u.user_id having count(*) = 1 and min(u.action_type) = 'token_pack_purchase' and count(u.balance_after) = 1 order by u.user_id limit 1);
update public.token_usage set tokens_used = tokens_used + 1000, balance_after = balance_after + 1000
where user_id = (select u.user_id from public.token_usage as u group by u.user_id having count(*) = 1 and min(u.action_type) = 'token_pack_purchase' and count(u.balance_after) = 1 order by u.user_id limit 1);
