-- title: The last drip of a user is deleted from token_drips
-- stages: unify
-- turns-red: legacy-row-in-ledger, drip-rollover-counts
-- subject: select u.id::text from public.token_usage as u where u.metadata ->> 'plan' = 'vision_pro_28day' union all select d.user_id::text from public.token_drips as d
delete from public.token_drips
where id = (
  select d.id from public.token_drips as d
  where d.metadata ? 'token_usage_id'
    and not exists (select from public.token_drips as l where l.user_id = d.user_id and l.drip_date > d.drip_date)
  order by d.drip_date desc, d.id limit 1);
