-- title: A pack is credited to a user who did not buy it
-- stages: unify
-- needs: evidence
-- turns-red: grant-user-as-owed
-- subject: select u.id::text from public.token_usage as u where u.user_id = 'b0000000-0000-4000-8000-000000000001' union all select u.id::text from public.token_usage as u where u.user_id = (select u.user_id from public.token_usage as u group by u.user_id having count(*) = 1 and min(u.action_type) = 'token_pack_purchase' and count(u.balance_after) = 1 order by u.user_id limit 1)
insert into auth.users (id, email) values ('b0000000-0000-4000-8000-000000000001', 'another@example.com');
insert into public.user_profiles (user_id, vibe_assistant_tokens_remaining)
select 'b0000000-0000-4000-8000-000000000001', p.vibe_assistant_tokens_remaining
from public.user_profiles as p
where p.user_id = (select u.user_id from public.token_usage as u group by u.user_id having count(*) = 1 and min(u.action_type) = 'token_pack_purchase' and count(u.balance_after) = 1 order by u.user_id limit 1) and p.is_active and not p.is_draft;
update public.user_profiles set vibe_assistant_tokens_remaining = 0
where user_id = (select u.user_id from public.token_usage as u group by u.user_id having count(*) = 1 and min(u.action_type) = 'token_pack_purchase' and count(u.balance_after) = 1 order by u.user_id limit 1);
update public.token_usage set user_id = 'b0000000-0000-4000-8000-000000000001'
where user_id = (select u.user_id from public.token_usage as u group by u.user_id having count(*) = 1 and min(u.action_type) = 'token_pack_purchase' and count(u.balance_after) = 1 order by u.user_id limit 1);
