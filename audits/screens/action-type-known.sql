-- proves: Postgres itself holds the rule: the CHECK is validated, and lists types and nothing else.
select exists (
  select from pg_catalog.pg_constraint as c
  where c.conrelid = 'public.token_usage'::regclass and c.conname = 'token_usage_action_type_check'
    and c.contype = 'c' and c.convalidated
    and pg_get_constraintdef(c.oid) ~ '^CHECK \(\(action_type = ANY \(ARRAY\[''[a-z_]+''::text(, ''[a-z_]+''::text)*\]\)\)\)$'
) as clear
