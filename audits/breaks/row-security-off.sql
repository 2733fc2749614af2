-- title: Row-level security is switched off for a debugging session
-- stages: unify
-- turns-red: guard-row-security
-- subject: select 'token_usage'
alter table public.token_usage disable row level security;
