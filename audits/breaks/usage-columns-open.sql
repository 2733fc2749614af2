-- title: Single columns of token_usage are opened for inserts
-- stages: unify
-- turns-red: guard-usage-writes
-- subject: select 'INSERT on token_usage for authenticated'
grant insert (user_id, action_type, model_used, tokens_used) on public.token_usage to authenticated;
