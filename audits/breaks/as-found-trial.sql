-- title: A trial is granted as found: into the balance alone
-- stages: as-found, view
-- turns-red: balance-is-ledger-sum-as-found
-- subject: select user_id::text from (select u.user_id from public.token_usage as u where u.action_type = 'admin_grant' and u.metadata ? 'stripe_session_id' order by u.user_id limit 1) as v
select public.grant_trial_tokens((select u.user_id from public.token_usage as u where u.action_type = 'admin_grant' and u.metadata ? 'stripe_session_id' order by u.user_id limit 1), null, 1000000, 56);
