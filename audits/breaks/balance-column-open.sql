-- title: A blanket grant opens the balance columns
-- stages: unify
-- turns-red: guard-balance-columns
-- subject: select 'UPDATE on user_profiles.vibe_assistant_tokens_remaining for authenticated'
grant update (vibe_assistant_tokens_remaining) on public.user_profiles to authenticated;
