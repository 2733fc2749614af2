-- title: A clean-up of privileges closes a grant function to the service as well
-- stages: unify
-- turns-red: guard-functions
-- subject: select 'grant_trial_tokens'
revoke execute on function public.grant_trial_tokens(uuid, uuid, int, int, text, text) from service_role;
