-- proves: Nothing was ever reversed.
select 0 = (select count(*) from public.token_usage as u where u.metadata ->> 'reverses' is not null) as clear
