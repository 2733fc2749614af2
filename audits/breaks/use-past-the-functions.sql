-- title: The app inserts AI use itself and moves the balance on its own
-- stages: unify
-- turns-red: running-balance-kept, running-balance-chain
-- subject: select 'a0000000-0000-4000-8000-000000000002' union all select f.id::text from public.token_usage as f where f.user_id = (select p.user_id from public.user_profiles as p where p.vibe_assistant_tokens_remaining > 0 order by p.user_id limit 1) and f.balance_after is not null and not exists (select from public.token_usage as e where e.user_id = f.user_id and e.balance_after is not null and e.created_at < f.created_at)
insert into public.token_usage (id, user_id, action_type, model_used, tokens_used, created_at)
values ('a0000000-0000-4000-8000-000000000002', (select p.user_id from public.user_profiles as p where p.vibe_assistant_tokens_remaining > 0 order by p.user_id limit 1), 'chat_conversation', 'gpt', 10, clock_timestamp());
update public.user_profiles
set vibe_assistant_tokens_remaining = vibe_assistant_tokens_remaining - 10,
    vibe_assistant_tokens_used = vibe_assistant_tokens_used + 10
where user_id = (select p.user_id from public.user_profiles as p where p.vibe_assistant_tokens_remaining > 0 order by p.user_id limit 1);
