-- title: All profile rows of a user agree in the balance columns
-- severity: major
-- stages: as-found, view, unify, retired
-- why: A draft is a copy: when it is published, its balance becomes the user's.
-- fix: npm run migrate -- differences lists the rows, and adjust copies the active row's values to the others.
-- unit: tokens
-- population: select count(*) from public.user_profiles
select
  'user' as subject_type,
  p.user_id::text as subject_id,
  'another profile row differs from the active one in its balance columns' as detail,
  max(coalesce(a.vibe_assistant_tokens_remaining, 0))::numeric as expected,
  (array_agg(coalesce(p.vibe_assistant_tokens_remaining, 0)
    order by abs(coalesce(p.vibe_assistant_tokens_remaining, 0) - coalesce(a.vibe_assistant_tokens_remaining, 0)) desc))[1]::numeric
    as actual,
  max(p.updated_at) as occurred_at
from public.user_profiles as p
join public.user_profiles as a on a.user_id = p.user_id and a.id <> p.id and a.is_active and not a.is_draft
where (coalesce(p.vibe_assistant_tokens_remaining, 0), coalesce(p.vibe_assistant_tokens_used, 0),
       coalesce(p.vibe_assistant_total_cost, 0), coalesce(p.token_rollover_cycles, 0), p.token_last_drip_date)
  is distinct from
      (coalesce(a.vibe_assistant_tokens_remaining, 0), coalesce(a.vibe_assistant_tokens_used, 0),
       coalesce(a.vibe_assistant_total_cost, 0), coalesce(a.token_rollover_cycles, 0), a.token_last_drip_date)
group by p.user_id
