-- title: A migration drops a constraint and never puts it back
-- stages: unify
-- turns-red: guard-constraints
-- subject: select 'token_usage_grant_key_shape'
alter table public.token_usage drop constraint token_usage_grant_key_shape;
