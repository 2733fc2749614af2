-- title: A drip's own numbers add up
-- severity: major
-- stages: as-found, view, unify, retired
-- why: Rolled over, expired and dripped tokens must make the balance after it; at most three cycles roll over.
-- fix: Compare with the user's ledger around the drip; the function that wrote it computes its balance wrongly.
-- unit: tokens
-- population: select (select count(*) from public.token_drips) + (select count(*) from public.token_usage)
select
  'token_drips' as subject_type,
  d.id::text as subject_id,
  case
    when d.balance_after <> d.balance_before - d.expired_tokens + d.drip_amount then 'before − expired + drip is not the balance after'
    when d.rollover_from_previous <> d.balance_before - d.expired_tokens then 'rolled over is not before − expired'
    when d.expired_tokens not in (0, d.balance_before) then 'a part of the balance expired'
    else 'the rollover count does not fit'
  end as detail,
  (d.balance_before - d.expired_tokens + d.drip_amount)::numeric as expected,
  d.balance_after::numeric as actual,
  d.drip_date as occurred_at,
  d.user_id
from public.token_drips as d
where d.balance_after <> d.balance_before - d.expired_tokens + d.drip_amount
   or d.rollover_from_previous <> d.balance_before - d.expired_tokens
   or d.expired_tokens not in (0, d.balance_before)
   or d.drip_amount <= 0
   or d.rollover_cycles_count not between 0 and 3
   or (d.rollover_cycles_count = 0) <> (d.balance_before = 0 or d.expired_tokens > 0)
