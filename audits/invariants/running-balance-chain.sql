-- title: Each row starts from the balance that the row before it left
-- severity: critical
-- stages: unify, retired
-- why: A break in the chain is a lost update, a row deleted or inserted later, or a writer without the lock.
-- fix: Read the user's rows around the break; the row that starts wrong was written by the culprit.
-- unit: tokens
-- population: select count(*) from public.token_usage
with chained as (
  select
    u.id, u.user_id, u.created_at, u.balance_before,
    lag(u.balance_after) over (partition by u.user_id order by u.created_at, u.id) as left_before
  from public.token_usage as u
  where u.balance_after is not null
),
-- What a user had before rows carried balances.
opening as (
  select
    u.user_id,
    sum(case
      when not u.success then 0
      when u.action_type in ('admin_grant', 'subscription_grant', 'trial_grant', 'token_pack_purchase') then u.tokens_used
      else -u.tokens_used
    end) as total
  from public.token_usage as u
  where u.balance_after is null
  group by u.user_id
)
select
  'token_usage' as subject_type,
  c.id::text as subject_id,
  case when c.left_before is null then 'the first row with balances does not start from the sum of the rows before it'
    else 'the row does not start from the balance that the row before it left' end as detail,
  coalesce(c.left_before, o.total, 0)::numeric as expected,
  c.balance_before::numeric as actual,
  c.created_at as occurred_at,
  c.user_id
from chained as c
left join opening as o on o.user_id = c.user_id
where c.balance_before is distinct from coalesce(c.left_before, o.total, 0)
