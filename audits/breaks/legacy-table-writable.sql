-- title: The legacy table is opened for writing again
-- stages: unify
-- turns-red: guard-legacy-read-only
-- subject: select 'INSERT on token_transactions for service_role'
grant insert on public.token_transactions to service_role;
