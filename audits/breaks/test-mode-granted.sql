-- title: A test-mode purchase is granted on the live endpoint
-- stages: unify
-- needs: evidence
-- turns-red: test-mode-grants-nothing
-- subject: select u.id::text from public.token_usage as u order by u.created_at desc, u.id desc limit 1
select public.grant_token_pack((select u.user_id from public.token_usage as u group by u.user_id having count(*) = 1 and min(u.action_type) = 'token_pack_purchase' and count(u.balance_after) = 1 order by u.user_id limit 1), 5000000, split_part(r.grant_key, ':', 2))
from jsonb_to_recordset(current_setting('audit.evidence')::jsonb -> 'refused') as r (grant_key text, why text)
where r.why = 'test mode' and r.grant_key like 'checkout_session:%'
limit 1;
