-- title: The rollover count runs ahead
-- stages: unify
-- turns-red: drip-rollover-counts
-- subject: select d.id::text from public.token_drips as d union all select d.user_id::text from public.token_drips as d
update public.token_drips set rollover_cycles_count = rollover_cycles_count + 1
where id = (
  select d.id from public.token_drips as d
  where d.rollover_cycles_count > 0
  order by d.drip_date desc, d.id
  limit 1);
