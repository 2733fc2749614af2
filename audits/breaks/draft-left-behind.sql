-- title: A writer moves the balance of the active profile only
-- stages: unify
-- turns-red: profile-rows-agree
-- subject: select p.user_id::text from public.user_profiles as p where p.is_draft
update public.user_profiles set vibe_assistant_tokens_remaining = coalesce(vibe_assistant_tokens_remaining, 0) + 7
where id = (select p.id from public.user_profiles as p where p.is_draft order by p.user_id limit 1);
