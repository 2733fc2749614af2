-- title: The view is made again by hand and forgets failed calls
-- stages: view, unify
-- turns-red: ledger-view-whole
-- subject: select u.id::text from public.token_usage as u where not u.success
do $$
begin
  execute 'create or replace view public.token_ledger as select * from ('
    || rtrim(pg_get_viewdef('public.token_ledger'::regclass), ';') || ') as v where v.direction <> ''none''';
end
$$;
