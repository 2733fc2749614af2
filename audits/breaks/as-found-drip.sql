-- title: A 28-day drip as found: into token_drips
-- stages: as-found, view
-- turns-red: balance-is-ledger-sum-as-found, drip-in-ledger-as-found
-- subject: select user_id::text from (select u.user_id from public.token_usage as u where u.action_type = 'admin_grant' and u.metadata ? 'stripe_session_id' order by u.user_id limit 1) as v union all select d.id::text from public.token_drips as d
select public.drip_tokens_28day((select u.user_id from public.token_usage as u where u.action_type = 'admin_grant' and u.metadata ? 'stripe_session_id' order by u.user_id limit 1), null, 1);
