-- title: A reset is followed by the grant that it made room for
-- severity: critical
-- stages: unify, retired
-- why: A reset without its grant takes a customer's tokens for nothing; a yearly grant without reset adds to what should be gone.
-- fix: Read the user's rows around the reset; call the grant function again with its evidence if the grant is missing.
-- unit: tokens
-- population: select count(*) from public.token_usage
with resets as (
  select u.id, u.user_id, u.tokens_used, u.balance_after, u.created_at, left(u.grant_key, -length(':reset')) as grant_of
  from public.token_usage as u
  where u.grant_key like '%:reset'
)
select
  'token_usage' as subject_type,
  r.id::text as subject_id,
  case
    when g.id is null then 'a reset without its grant'
    when g.user_id <> r.user_id then 'the grant of this reset belongs to another user'
    when r.balance_after <> 0 then 'a reset that left tokens'
    else 'the grant does not follow its reset'
  end as detail,
  r.tokens_used::numeric as expected,
  0::numeric as actual,
  r.created_at as occurred_at,
  r.user_id
from resets as r
left join public.token_usage as k on k.grant_key = r.grant_of
-- What a copied drip let expire is named by the drip, also where the drip's own grant is named by its invoice.
left join public.token_usage as c
  on k.id is null and split_part(r.grant_of, ':', 1) = 'legacy'
    and c.metadata ->> 'legacy_table' = split_part(r.grant_of, ':', 2) and c.metadata ->> 'legacy_id' = split_part(r.grant_of, ':', 3)
left join public.token_usage as g on g.id = coalesce(k.id, c.id)
where g.id is null
   or g.user_id <> r.user_id
   or r.balance_after <> 0
   or r.balance_after is not null and (g.balance_before is distinct from 0 or g.created_at <= r.created_at)
union all
select
  'token_usage',
  g.id::text,
  'a yearly grant on top of a balance that it should have replaced',
  0,
  g.balance_before,
  g.created_at,
  g.user_id
from public.token_usage as g
where g.metadata ->> 'plan' = 'vision_pro_annual'
  and g.action_type = 'subscription_grant'
  and g.balance_before <> 0
