-- title: Two rows of a user are stamped with the same time
-- stages: unify
-- turns-red: row-order-strict
-- subject: select user_id::text from (select p.user_id from public.user_profiles as p where p.vibe_assistant_tokens_remaining > 0 order by p.user_id limit 1) as v
insert into public.token_usage
  (id, user_id, action_type, model_used, tokens_used, created_at, balance_before, balance_after)
select 'ffffffff-ffff-4fff-bfff-ffffffffffff', u.user_id, 'chat_conversation', 'gpt', 0, u.created_at, u.balance_after, u.balance_after
from public.token_usage as u
where u.user_id = (select p.user_id from public.user_profiles as p where p.vibe_assistant_tokens_remaining > 0 order by p.user_id limit 1) and u.balance_after is not null
order by u.created_at desc
limit 1;
