-- title: A script inserts a grant itself and never touches the balance
-- stages: unify
-- needs: evidence
-- turns-red: balance-is-ledger-sum, running-balance-kept, running-balance-chain, grant-has-evidence
-- subject: select 'a0000000-0000-4000-8000-000000000001' union all select c.user_id::text from public.token_usage as c where c.id = (select u.id from public.token_usage as u where u.action_type = 'chat_conversation' and u.success and u.tokens_used > 0 and u.balance_after > 0 and u.balance_after = u.balance_before - u.tokens_used order by u.created_at, u.id limit 1) union all select f.id::text from public.token_usage as f where f.user_id = (select user_id from public.token_usage where id = (select u.id from public.token_usage as u where u.action_type = 'chat_conversation' and u.success and u.tokens_used > 0 and u.balance_after > 0 and u.balance_after = u.balance_before - u.tokens_used order by u.created_at, u.id limit 1)) and f.balance_after is not null and not exists (select from public.token_usage as e where e.user_id = f.user_id and e.balance_after is not null and e.created_at < f.created_at)
insert into public.token_usage (id, user_id, action_type, model_used, tokens_used, metadata, grant_key, created_at)
select 'a0000000-0000-4000-8000-000000000001', u.user_id, 'admin_grant', 'script', 1000,
  '{"request_id": "by-hand"}', 'admin:by-hand', clock_timestamp()
from public.token_usage as u
where u.id = (select u.id from public.token_usage as u where u.action_type = 'chat_conversation' and u.success and u.tokens_used > 0 and u.balance_after > 0 and u.balance_after = u.balance_before - u.tokens_used order by u.created_at, u.id limit 1);
