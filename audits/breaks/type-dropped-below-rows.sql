-- title: A migration narrows the CHECK below rows that are stored
-- stages: unify
-- turns-red: action-type-known, guard-action-type-check
-- subject: select 'chat_conversation' union all select 'token_usage_action_type_check' union all select u.id::text from public.token_usage as u where u.action_type = 'chat_conversation'
alter table public.token_usage
  drop constraint token_usage_action_type_check,
  add constraint token_usage_action_type_check check (action_type in (
    'assessment_scoring', 'vision_generation', 'vision_refinement', 'blueprint_generation', 'audio_generation',
    'image_generation', 'transcription', 'admin_grant', 'admin_deduct', 'life_vision_category_summary',
    'life_vision_master_assembly', 'prompt_suggestions', 'frequency_flip', 'subscription_grant', 'trial_grant',
    'token_pack_purchase')) not valid;
