-- title: The index that copies a legacy row only once is gone
-- stages: unify
-- turns-red: guard-unique-indexes
-- subject: select 'token_usage legacy row'
drop index public.token_usage_legacy_row;
