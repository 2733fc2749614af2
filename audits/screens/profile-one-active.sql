-- proves: An index holds that nobody has two active profiles. Who has none, and rows, has no balance and no counter: of
--   these the sums of the ledger would differ, but for users whose rows cancel out. They have a deduction, a failed
--   call, a row of nothing, or a copied one: the common scan collects whose those are, and each is looked up.
-- given: balance-is-ledger-sum, used-counter-is-usage
-- stages: unify, retired
select not exists (
  select
  from unnest((
    select array_agg(u.user_id)
    from public.token_usage as u
    where (
      u.success and u.tokens_used > 0
      and (u.grant_key is null
        or u.balance_after > u.balance_before
        or u.balance_before is null and u.action_type <> 'admin_deduct')
    ) is not true
  ) || array (
    select c.user_id from public.token_usage as c where c.metadata ->> 'legacy_table' is not null
  )) as o (user_id)
  where not exists (
    select from public.user_profiles as p where p.user_id = o.user_id and p.is_active and not p.is_draft)
) as clear
