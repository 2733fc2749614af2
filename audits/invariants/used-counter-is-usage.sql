-- title: The counter of used tokens is the sum of successful AI use
-- severity: minor
-- stages: as-found, view, unify, retired
-- why: The counter is what the user is shown; a difference means use without a row, or a row without counting.
-- fix: Set the counter to the sum; find the writer that forgot one of them.
-- unit: tokens
-- population: select (select count(*) from public.token_usage) + (select count(*) from public.user_profiles)
with used as (
  select
    u.user_id,
    sum(u.tokens_used) as total,
    max(u.created_at) as last_at,
    bool_or(u.metadata ->> 'legacy_table' is not null) as copied
  from public.token_usage as u
  where u.action_type not in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase') and u.success
  group by u.user_id
)
select
  'user' as subject_type,
  p.user_id::text as subject_id,
  'the counter of used tokens differs from the sum of successful AI use' as detail,
  coalesce(u.total, 0)::numeric as expected,
  coalesce(p.vibe_assistant_tokens_used, 0)::numeric as actual,
  coalesce(u.last_at, p.updated_at) as occurred_at
from public.user_profiles as p
left join used as u on u.user_id = p.user_id
where p.is_active and not p.is_draft
  and coalesce(p.vibe_assistant_tokens_used, 0) <> coalesce(u.total, 0)
  -- The counter never counted what the legacy table held.
  and u.copied is not true
