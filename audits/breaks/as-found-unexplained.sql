-- title: A grant that says neither who paid nor which admin gave it
-- stages: as-found, view
-- turns-red: grant-names-evidence-as-found
-- subject: select u.id::text from public.token_usage as u where u.action_type = 'admin_grant' and u.metadata ? 'admin_action'
update public.token_usage set metadata = '{}'
where id = (
  select u.id from public.token_usage as u
  where u.action_type = 'admin_grant' and u.metadata ? 'admin_action'
  order by u.created_at, u.id
  limit 1);
