-- title: AI use beyond the balance
-- stages: unify
-- turns-red: overdraft
-- subject: select u.id::text from public.token_usage as u order by u.created_at desc, u.id desc limit 1
select public.record_token_usage(p.user_id, 'chat_conversation', 'gpt', p.vibe_assistant_tokens_remaining + 1)
from public.user_profiles as p
where p.user_id = (select p.user_id from public.user_profiles as p where p.vibe_assistant_tokens_remaining > 0 order by p.user_id limit 1) and p.is_active and not p.is_draft;
