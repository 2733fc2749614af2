-- title: What a function wrote to token_transactions has the sign of use there
-- stages: unify
-- turns-red: legacy-row-in-ledger
-- subject: select t.id::text from public.token_transactions as t where t.metadata ? 'token_usage_id'
update public.token_transactions as t
set tokens_used = -t.tokens_used
where t.id = (
  select o.id from public.token_transactions as o
  where o.metadata ? 'token_usage_id'
  order by o.created_at, o.id
  limit 1);
