-- title: A hand edit gives a user 100 tokens without a row
-- stages: unify
-- turns-red: balance-is-ledger-sum
-- subject: select user_id::text from (select p.user_id from public.user_profiles as p where p.vibe_assistant_tokens_remaining > 0 order by p.user_id limit 1) as v
update public.user_profiles set vibe_assistant_tokens_remaining = vibe_assistant_tokens_remaining + 100
where user_id = (select p.user_id from public.user_profiles as p where p.vibe_assistant_tokens_remaining > 0 order by p.user_id limit 1);
