-- title: A function is made again and is executable by everyone, as functions are by default
-- stages: unify
-- turns-red: guard-functions
-- subject: select 'grant_token_pack'
grant execute on function public.grant_token_pack(uuid, int, text, text, text) to anon;
