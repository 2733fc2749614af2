-- title: The deduction that settled a refund is gone from view
-- stages: unify
-- needs: evidence
-- turns-red: refunded-purchase-kept-tokens
-- subject: select o.grant_key from jsonb_to_recordset(current_setting('audit.evidence')::jsonb -> 'entitlements') as o (grant_key text, refunded_cents numeric) where o.refunded_cents > 0
update public.token_usage set metadata = metadata - 'stripe_payment_intent'
where action_type = 'admin_deduct' and metadata ? 'stripe_payment_intent' and grant_key like 'admin:%';
