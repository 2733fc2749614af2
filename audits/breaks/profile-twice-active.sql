-- title: The unique index is gone, and a user has two active profiles
-- stages: unify
-- turns-red: profile-one-active
-- subject: select user_id::text from (select p.user_id from public.user_profiles as p where p.vibe_assistant_tokens_remaining > 0 order by p.user_id limit 1) as v
drop index public.user_profiles_one_active;
insert into public.user_profiles
  (user_id, vibe_assistant_tokens_remaining, vibe_assistant_tokens_used, vibe_assistant_total_cost, token_rollover_cycles,
   token_last_drip_date)
select p.user_id, p.vibe_assistant_tokens_remaining, p.vibe_assistant_tokens_used, p.vibe_assistant_total_cost,
  p.token_rollover_cycles, p.token_last_drip_date
from public.user_profiles as p
where p.user_id = (select p.user_id from public.user_profiles as p where p.vibe_assistant_tokens_remaining > 0 order by p.user_id limit 1) and p.is_active and not p.is_draft;
