-- title: A user starts with 100 tokens and no row
-- stages: as-found, view
-- turns-red: balance-is-ledger-sum-as-found
-- subject: select user_id::text from (select u.user_id from public.token_usage as u where u.action_type = 'admin_grant' and u.metadata ? 'stripe_session_id' order by u.user_id limit 1) as v
update public.user_profiles set vibe_assistant_tokens_remaining = vibe_assistant_tokens_remaining + 100
where user_id = (select u.user_id from public.token_usage as u where u.action_type = 'admin_grant' and u.metadata ? 'stripe_session_id' order by u.user_id limit 1) and is_active and not is_draft;
