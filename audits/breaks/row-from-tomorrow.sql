-- title: A server with a wrong clock stamps a row with tomorrow's time
-- stages: unify
-- turns-red: row-not-in-the-future
-- subject: select 'a0000000-0000-4000-8000-000000000003'
insert into public.token_usage
  (id, user_id, action_type, model_used, tokens_used, created_at, balance_before, balance_after)
select 'a0000000-0000-4000-8000-000000000003', p.user_id, 'chat_conversation', 'gpt', 0, now() + interval '1 day',
  p.vibe_assistant_tokens_remaining, p.vibe_assistant_tokens_remaining
from public.user_profiles as p
where p.user_id = (select p.user_id from public.user_profiles as p where p.vibe_assistant_tokens_remaining > 0 order by p.user_id limit 1) and p.is_active and not p.is_draft;
