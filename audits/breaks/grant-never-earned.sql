-- title: A pack is granted for a session that nobody paid
-- stages: unify
-- needs: evidence
-- turns-red: grant-has-evidence
-- subject: select u.id::text from public.token_usage as u order by u.created_at desc, u.id desc limit 1
select public.grant_token_pack((select u.user_id from public.token_usage as u group by u.user_id having count(*) = 1 and min(u.action_type) = 'token_pack_purchase' and count(u.balance_after) = 1 order by u.user_id limit 1), 5000000, 'cs_live_never_paid');
