/**
 * Action types of `token_usage` that add tokens; every type of the table's CHECK that is neither here nor among the
 * deductions is AI use. The rules and the migrations write the list out, so that they run by hand, and tests hold
 * them to this one.
 */
export const GRANTS = ['admin_grant', 'subscription_grant', 'trial_grant', 'token_pack_purchase'] as const

/** Action types of `token_usage` that take tokens back. */
export const DEDUCTIONS = ['admin_deduct'] as const
