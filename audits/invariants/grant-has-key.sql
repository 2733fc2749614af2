-- title: Every grant and deduction has a grant key, and AI use has none
-- severity: critical
-- stages: unify, retired
-- why: Without its key a grant can be repeated, and nobody can say what it was for.
-- fix: Find the writer that bypasses the grant functions; restore the constraint token_usage_grant_key_needed.
-- unit: rows
-- population: select count(*) from public.token_usage
select
  'token_usage' as subject_type,
  u.id::text as subject_id,
  u.action_type || case when u.grant_key is null then ' without a grant key' else ' with a grant key' end as detail,
  case when u.grant_key is null then 1 else 0 end::numeric as expected,
  case when u.grant_key is null then 0 else 1 end::numeric as actual,
  u.created_at as occurred_at,
  u.user_id
from public.token_usage as u
where (u.grant_key is null) = (u.action_type in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase'))
