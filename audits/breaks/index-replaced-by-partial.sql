-- title: The unique index on the grant key is made again for some kinds only
-- stages: unify
-- turns-red: guard-unique-indexes
-- subject: select 'token_usage grant_key'
drop index public.token_usage_grant_key;
create unique index token_usage_grant_key on public.token_usage (grant_key) where grant_key like 'invoice:%';
