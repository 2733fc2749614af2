-- title: A redelivered pack is granted again
-- stages: as-found, view
-- needs: evidence
-- turns-red: one-grant-per-fact, grant-has-evidence
-- subject: select u.metadata ->> 'stripe_session_id' from public.token_usage as u where u.user_id = (select u.user_id from public.token_usage as u where u.action_type = 'admin_grant' and u.metadata ? 'stripe_session_id' order by u.user_id limit 1) union all select u.metadata ->> 'stripe_payment_intent' from public.token_usage as u where u.user_id = (select u.user_id from public.token_usage as u where u.action_type = 'admin_grant' and u.metadata ? 'stripe_session_id' order by u.user_id limit 1) union all select 'a0000000-0000-4000-8000-000000000006'
insert into public.token_usage (id, user_id, action_type, model_used, tokens_used, metadata, created_at)
select 'a0000000-0000-4000-8000-000000000006', u.user_id, u.action_type, u.model_used, u.tokens_used, u.metadata, clock_timestamp()
from public.token_usage as u
where u.user_id = (select u.user_id from public.token_usage as u where u.action_type = 'admin_grant' and u.metadata ? 'stripe_session_id' order by u.user_id limit 1) and u.metadata ? 'stripe_session_id'
order by u.created_at
limit 1;
update public.user_profiles
set vibe_assistant_tokens_remaining = vibe_assistant_tokens_remaining + (
  select u.tokens_used from public.token_usage as u where u.id = 'a0000000-0000-4000-8000-000000000006')
where user_id = (select u.user_id from public.token_usage as u where u.action_type = 'admin_grant' and u.metadata ? 'stripe_session_id' order by u.user_id limit 1);
