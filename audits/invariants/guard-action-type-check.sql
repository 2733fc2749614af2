-- title: The CHECK on action types is there, validated, and has all its types
-- severity: critical
-- stages: unify, retired
-- why: A type that a rewritten CHECK dropped is refused; the app logs the error, charges the balance and writes no row.
-- fix: Add the missing values to token_usage_action_type_check (NOT VALID, then VALIDATE).
-- unit: guards
-- population: select count(*) from pg_catalog.pg_constraint where conrelid = 'public.token_usage'::regclass
with wanted (action_type) as (
  values
    ('assessment_scoring'), ('vision_generation'), ('vision_refinement'), ('blueprint_generation'), ('chat_conversation'),
    ('audio_generation'), ('image_generation'), ('transcription'), ('admin_grant'), ('admin_deduct'),
    ('life_vision_category_summary'), ('life_vision_master_assembly'), ('prompt_suggestions'), ('frequency_flip'),
    ('subscription_grant'), ('trial_grant'), ('token_pack_purchase')
),
found as (
  select c.convalidated, pg_get_constraintdef(c.oid) as definition
  from pg_catalog.pg_constraint as c
  where c.conrelid = 'public.token_usage'::regclass
    and c.conname = 'token_usage_action_type_check' and c.contype = 'c'
)
select
  'constraint' as subject_type,
  'token_usage_action_type_check' as subject_id,
  'missing, or not validated' as detail,
  1::numeric as expected,
  0::numeric as actual,
  null::timestamptz as occurred_at
where not exists (select from found as f where f.convalidated)
union all
select
  'action_type',
  w.action_type,
  'not allowed by token_usage_action_type_check',
  1,
  0,
  null
from wanted as w
join found as f on f.definition !~ ('[''"{,]' || w.action_type || '[''",}]')
