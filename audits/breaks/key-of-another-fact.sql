-- title: A pack is keyed with a session that is not its own
-- stages: unify
-- needs: evidence
-- turns-red: grant-key-fits-row, evidence-has-grant, grant-has-evidence
-- subject: select u.id::text from public.token_usage as u where u.user_id = (select u.user_id from public.token_usage as u group by u.user_id having count(*) = 1 and min(u.action_type) = 'token_pack_purchase' and count(u.balance_after) = 1 order by u.user_id limit 1) union all select u.grant_key from public.token_usage as u where u.user_id = (select u.user_id from public.token_usage as u group by u.user_id having count(*) = 1 and min(u.action_type) = 'token_pack_purchase' and count(u.balance_after) = 1 order by u.user_id limit 1)
update public.token_usage set grant_key = 'checkout_session:cs_live_another'
where user_id = (select u.user_id from public.token_usage as u group by u.user_id having count(*) = 1 and min(u.action_type) = 'token_pack_purchase' and count(u.balance_after) = 1 order by u.user_id limit 1);
