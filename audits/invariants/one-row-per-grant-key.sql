-- title: One business fact, one row
-- severity: critical
-- stages: unify, retired
-- why: Two rows under one key are one fact counted twice.
-- fix: Keep the first row; reverse the others (npm run migrate -- differences lists them); restore the unique index.
-- unit: tokens
-- population: select count(*) from public.token_usage
select
  'grant_key' as subject_type,
  u.grant_key as subject_id,
  format('%s rows under one key', count(*)) as detail,
  (array_agg(u.tokens_used order by u.created_at, u.id))[1]::numeric as expected,
  sum(u.tokens_used)::numeric as actual,
  max(u.created_at) as occurred_at,
  (array_agg(u.user_id order by u.created_at, u.id))[1] as user_id
from public.token_usage as u
where u.grant_key is not null
group by u.grant_key
having count(*) > 1
