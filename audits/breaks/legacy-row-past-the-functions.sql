-- title: A script writes token_transactions itself
-- stages: unify
-- turns-red: legacy-row-in-ledger
-- subject: select 'a0000000-0000-4000-8000-000000000005'
insert into public.token_transactions (id, user_id, action_type, tokens_used, tokens_remaining)
values ('a0000000-0000-4000-8000-000000000005', (select p.user_id from public.user_profiles as p where p.vibe_assistant_tokens_remaining > 0 order by p.user_id limit 1), 'renewal_grant', -5000000, 5000000);
