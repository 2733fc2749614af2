-- title: A formula subtracts use from each grant and writes a negative balance
-- stages: unify
-- turns-red: balance-not-negative, balance-is-ledger-sum
-- subject: select user_id::text from public.user_profiles where vibe_assistant_tokens_remaining < 0
update public.user_profiles set vibe_assistant_tokens_remaining = -363843
where user_id = (select p.user_id from public.user_profiles as p where p.vibe_assistant_tokens_remaining > 0 order by p.user_id limit 1);
