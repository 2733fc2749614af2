-- title: A session, a payment, an invoice, a trial, an admin request moves tokens once
-- severity: critical
-- stages: as-found, view, unify, retired
-- why: A redelivery, a second event of one payment, a double click, or a trial credited again at conversion.
-- fix: npm run migrate -- differences lists the surplus rows with the pair of rows that reverses each.
-- unit: tokens
-- population: select count(*) from public.token_usage
with named as (
  select
    u.id, u.user_id, u.tokens_used, u.created_at, f.kind, f.fact,
    -- Rows of one session or invoice are named by that; their common payment would only say it again.
    case when f.kind = 'payment_intent'
      then coalesce(u.metadata ->> 'stripe_session_id', u.metadata ->> 'stripe_invoice_id', u.id::text)
      else u.id::text end as apart
  from public.token_usage as u
  cross join lateral (
    values
      ('checkout_session', case when u.action_type <> 'admin_deduct' then u.metadata ->> 'stripe_session_id' end),
      ('payment_intent', case when u.action_type <> 'admin_deduct' then u.metadata ->> 'stripe_payment_intent' end),
      ('invoice', case when u.action_type <> 'admin_deduct' then u.metadata ->> 'stripe_invoice_id' end),
      ('trial', case when u.action_type = 'trial_grant' then u.metadata ->> 'stripe_subscription_id' end),
      ('admin_request', u.metadata ->> 'request_id')
  ) as f (kind, fact)
  where u.action_type in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase')
    and u.success
    and f.fact is not null
    -- A reviewed reversal takes the row out of the count.
    and not exists (
      select from public.token_usage as r
      where r.action_type = case u.action_type when 'admin_deduct' then 'admin_grant' else 'admin_deduct' end
        and r.user_id = u.user_id
        and r.metadata ->> 'reverses' = u.id::text and r.tokens_used >= u.tokens_used)
)
select
  n.kind as subject_type,
  n.fact as subject_id,
  format('%s rows for one fact', count(*)) as detail,
  (array_agg(n.tokens_used order by n.created_at, n.id))[1]::numeric as expected,
  sum(n.tokens_used)::numeric as actual,
  max(n.created_at) as occurred_at,
  (array_agg(n.user_id order by n.created_at, n.id))[1] as user_id
from named as n
group by n.kind, n.fact
having count(distinct n.apart) > 1
