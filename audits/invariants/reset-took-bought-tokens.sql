-- title: A reset that took bought tokens
-- severity: minor
-- stages: unify, retired
-- why: Packs are sold as never expiring, and a reset takes the whole balance as it does today.
-- fix: Decide whether bought tokens should survive a reset; give them back by an admin request where a customer asks.
-- unit: tokens
-- population: select count(*) from public.token_usage
with emptied as (
  select
    u.id, u.user_id, u.tokens_used, u.created_at, u.grant_key, u.metadata ->> 'reason' as reason,
    lag(u.created_at, 1, '-infinity') over (partition by u.user_id order by u.created_at, u.id) as since
  from public.token_usage as u
  where u.grant_key like '%:reset' or u.balance_after = 0
)
-- Plan tokens are taken to be spent first: what a reset can have taken of the packs bought since the balance was last
-- empty, by a reset or used up.
select
  'token_usage' as subject_type,
  r.id::text as subject_id,
  r.reason || ' took bought tokens' as detail,
  0::numeric as expected,
  least(r.tokens_used, sum(b.tokens_used))::numeric as actual,
  r.created_at as occurred_at,
  r.user_id
from emptied as r
join public.token_usage as b
  on b.user_id = r.user_id and b.action_type = 'token_pack_purchase' and b.success
  and b.created_at < r.created_at and b.created_at > r.since
where r.grant_key like '%:reset'
group by r.id, r.user_id, r.tokens_used, r.created_at, r.reason
