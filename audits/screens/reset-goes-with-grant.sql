-- proves: Resets are few: the common scan collects their ids, each is looked up with its grant.
select
  not exists (
    select
    from public.token_usage as r
    left join public.token_usage as g on g.grant_key = left(r.grant_key, -length(':reset'))
    where r.id = any ((select array_agg(u.id) from public.token_usage as u where u.grant_key like '%:reset'))
      and (g.id is null
        or g.user_id <> r.user_id
        or r.balance_after <> 0
        or r.balance_after is not null and (g.balance_before is distinct from 0 or g.created_at <= r.created_at)))
  and 0 = (
    select count(*)
    from public.token_usage as u
    where u.action_type = 'subscription_grant' and u.balance_before <> 0 and u.metadata ->> 'plan' = 'vision_pro_annual')
as clear
