-- title: A reversal names one grant or deduction of its user, and undoes no more than that
-- severity: major
-- stages: unify, retired
-- why: A reversal takes a row out of every count; one that names nothing, or too much, hides something.
-- fix: Compare with the reviewed file (the row's key holds its hash and line).
-- unit: tokens
-- population: select count(*) from public.token_usage
with reversals as (
  select u.metadata ->> 'reverses' as reverses, sum(u.tokens_used) as tokens, min(u.id::text) as first_id,
    min(u.user_id::text)::uuid as user_id, count(distinct u.user_id) as users, max(u.created_at) as last_at,
    -- A grant is undone by a deduction, a deduction by a grant.
    bool_and(u.action_type = 'admin_deduct') as deducts, bool_and(u.action_type = 'admin_grant') as grants
  from public.token_usage as u
  where u.metadata ->> 'reverses' is not null
    and u.action_type in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase')
  group by u.metadata ->> 'reverses'
)
select
  'token_usage' as subject_type,
  r.first_id as subject_id,
  case
    when g.id is null then 'reverses a row that is neither a grant nor a deduction'
    else 'reverses more than there was, in the wrong direction, or another user''s row'
  end as detail,
  coalesce(g.tokens_used, 0)::numeric as expected,
  r.tokens::numeric as actual,
  r.last_at as occurred_at,
  r.user_id
from reversals as r
left join public.token_usage as g
  on g.id::text = r.reverses
  and g.action_type in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase')
where g.id is null
   or r.users > 1
   or g.user_id <> r.user_id
   or r.tokens > g.tokens_used
   or not case when g.action_type = 'admin_deduct' then r.grants else r.deducts end
