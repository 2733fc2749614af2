-- title: create or replace with other arguments adds an overload
-- stages: unify
-- turns-red: guard-one-function-a-name, guard-functions
-- subject: select 'grant_annual_tokens'
create or replace function public.grant_annual_tokens(p_user_id uuid, p_subscription_id uuid) returns jsonb
language sql as $$ select '{"success": true}'::jsonb $$;
