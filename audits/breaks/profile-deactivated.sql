-- title: A new version of the profile is saved, and none is made active
-- stages: unify
-- turns-red: profile-one-active, balance-is-ledger-sum
-- subject: select user_id::text from public.user_profiles where not is_active and not is_draft
update public.user_profiles set is_active = false
where user_id = (select p.user_id from public.user_profiles as p where p.vibe_assistant_tokens_remaining > 0 order by p.user_id limit 1);
