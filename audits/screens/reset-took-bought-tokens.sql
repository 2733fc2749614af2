-- proves: Nobody bought anything before a reset. Resets are few: the common scan collects them.
select not exists (
  select
  from unnest((
      select array_agg(u.user_id) from public.token_usage as u where u.grant_key like '%:reset'
    ), (
      select array_agg(u.created_at) from public.token_usage as u where u.grant_key like '%:reset'
    )) as r (user_id, created_at)
  cross join lateral (
    select b.id
    from public.token_usage as b
    where b.user_id = r.user_id and b.created_at < r.created_at and b.action_type = 'token_pack_purchase' and b.success
    limit 1
  ) as b
) as clear
