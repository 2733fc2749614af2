-- title: No balance is negative
-- severity: critical
-- stages: as-found, view, unify, retired
-- why: Every writer stops at 0; a negative balance was written by something else, or by a formula gone wrong.
-- fix: Find the writer in the user's latest rows; correct the balance by an admin request.
-- unit: tokens
-- population: select count(*) from public.user_profiles
select
  'user' as subject_type,
  p.user_id::text as subject_id,
  'a profile row holds a negative balance' as detail,
  0::numeric as expected,
  min(p.vibe_assistant_tokens_remaining)::numeric as actual,
  max(p.updated_at) as occurred_at
from public.user_profiles as p
where p.vibe_assistant_tokens_remaining < 0
group by p.user_id
