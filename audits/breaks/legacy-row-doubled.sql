-- title: What a function wrote to token_transactions is there twice
-- stages: unify
-- turns-red: legacy-row-in-ledger
-- subject: select t.id::text from public.token_transactions as t where t.metadata ? 'token_usage_id'
insert into public.token_transactions (user_id, action_type, tokens_used, tokens_remaining, metadata, created_at)
select t.user_id, t.action_type, t.tokens_used, t.tokens_remaining, t.metadata, t.created_at
from public.token_transactions as t
where t.metadata ? 'token_usage_id'
order by t.created_at, t.id
limit 1;
