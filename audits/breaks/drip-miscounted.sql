-- title: A drip writes a balance that its own numbers do not make
-- stages: unify
-- turns-red: drip-adds-up
-- subject: select d.id::text from public.token_drips as d
update public.token_drips set balance_after = balance_after + 1
where id = (select d.id from public.token_drips as d order by d.drip_date, d.id limit 1);
