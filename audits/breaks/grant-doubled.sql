-- title: The unique index is gone, and a redelivery grants a trial again
-- stages: unify
-- needs: evidence
-- turns-red: one-row-per-grant-key, one-grant-per-fact, grant-has-evidence, guard-unique-indexes
-- subject: select 'a0000000-0000-4000-8000-000000000004' union all select u.grant_key from public.token_usage as u where u.action_type = 'trial_grant' union all select u.metadata ->> 'stripe_subscription_id' from public.token_usage as u where u.action_type = 'trial_grant' union all select 'token_usage grant_key'
drop index public.token_usage_grant_key;
with trial as (
  select u.*, p.vibe_assistant_tokens_remaining as balance
  from public.token_usage as u
  join public.user_profiles as p on p.user_id = u.user_id and p.is_active and not p.is_draft
  where u.action_type = 'trial_grant' and u.grant_key like 'trial:%' and u.balance_after is not null
  order by u.created_at, u.id
  limit 1
),
again as (
  insert into public.token_usage
    (id, user_id, action_type, model_used, tokens_used, metadata, grant_key, created_at, balance_before, balance_after)
  select 'a0000000-0000-4000-8000-000000000004', t.user_id, t.action_type, t.model_used, t.tokens_used, t.metadata - 'stripe_session_id',
    t.grant_key, clock_timestamp(), t.balance, t.balance + t.tokens_used
  from trial as t
  returning user_id, balance_after
)
update public.user_profiles as p set vibe_assistant_tokens_remaining = a.balance_after
from again as a where p.user_id = a.user_id;
