-- title: The policy that lets anyone insert usage comes back
-- stages: unify
-- turns-red: guard-usage-writes
-- subject: select 'anyone may insert usage' union all select 'INSERT on token_usage for authenticated'
create policy "anyone may insert usage" on public.token_usage for insert with check (true);
grant insert on public.token_usage to authenticated;
