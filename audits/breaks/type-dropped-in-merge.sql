-- title: A merge drops one value of the CHECK
-- stages: unify
-- turns-red: guard-action-type-check
-- subject: select 'frequency_flip'
do $$
begin
  execute 'alter table public.token_usage drop constraint token_usage_action_type_check, '
    || 'add constraint token_usage_action_type_check '
    || (select replace(pg_get_constraintdef(c.oid), '''frequency_flip''::text, ', '')
        from pg_constraint as c
        where c.conrelid = 'public.token_usage'::regclass and c.conname = 'token_usage_action_type_check');
end
$$;
