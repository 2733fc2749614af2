-- title: A year is granted as found: into token_transactions
-- stages: as-found, view
-- turns-red: balance-is-ledger-sum-as-found, legacy-row-in-ledger-as-found
-- subject: select user_id::text from (select u.user_id from public.token_usage as u where u.action_type = 'admin_grant' and u.metadata ? 'stripe_session_id' order by u.user_id limit 1) as v union all select t.id::text from public.token_transactions as t
select public.grant_annual_tokens((select u.user_id from public.token_usage as u where u.action_type = 'admin_grant' and u.metadata ? 'stripe_session_id' order by u.user_id limit 1), null);
