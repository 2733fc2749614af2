-- title: A trigger swallows ledger rows
-- stages: unify
-- turns-red: guard-nothing-swallows
-- subject: select 'swallow on token_usage'
create function public.swallow() returns trigger language plpgsql as $$ begin return null; end $$;
create trigger swallow before insert on public.token_usage for each row execute function public.swallow();
