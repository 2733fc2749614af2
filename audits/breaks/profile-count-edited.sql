-- title: The rollover count of a profile was edited
-- stages: unify
-- turns-red: drip-rollover-counts
-- subject: select p.user_id::text from public.user_profiles as p where p.token_rollover_cycles > 0
update public.user_profiles set token_rollover_cycles = token_rollover_cycles + 1
where user_id = (select p.user_id from public.user_profiles as p where p.token_rollover_cycles > 0 order by p.user_id limit 1);
