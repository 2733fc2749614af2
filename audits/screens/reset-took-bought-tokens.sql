-- proves: Nobody bought anything before a reset.
select not exists (
  select
  from public.token_usage as r
  join public.token_usage as b on b.user_id = r.user_id and b.created_at < r.created_at
  where r.id = any ((select array_agg(u.id) from public.token_usage as u where u.grant_key like '%:reset'))
    and b.action_type = 'token_pack_purchase' and b.success
) as clear
