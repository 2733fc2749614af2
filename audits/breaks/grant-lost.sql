-- title: The webhook answered 200 and wrote nothing
-- stages: unify
-- needs: evidence
-- turns-red: evidence-has-grant
-- subject: select u.grant_key from public.token_usage as u where u.user_id = (select u.user_id from public.token_usage as u group by u.user_id having count(*) = 1 and min(u.action_type) = 'token_pack_purchase' and count(u.balance_after) = 1 order by u.user_id limit 1)
with one as (select u.user_id from public.token_usage as u group by u.user_id having count(*) = 1 and min(u.action_type) = 'token_pack_purchase' and count(u.balance_after) = 1 order by u.user_id limit 1),
profile as (
  update public.user_profiles as p set vibe_assistant_tokens_remaining = 0 from one where p.user_id = one.user_id
)
delete from public.token_usage as u using one where u.user_id = one.user_id;
