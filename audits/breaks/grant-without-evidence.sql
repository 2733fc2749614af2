-- title: An old caller starts a year and says neither for which subscription nor for which invoice
-- stages: unify
-- needs: evidence
-- turns-red: grant-names-evidence, grant-has-evidence, reset-took-bought-tokens
-- subject: (select u.id::text from public.token_usage as u order by u.created_at desc, u.id desc limit 1) union all (select u.id::text from public.token_usage as u where u.grant_key like 'legacy:token_usage:%:reset')
select public.grant_annual_tokens((select u.user_id from public.token_usage as u group by u.user_id having count(*) = 1 and min(u.action_type) = 'token_pack_purchase' and count(u.balance_after) = 1 order by u.user_id limit 1), null);
