/**
 * Action types of `token_usage` that add tokens. The one place that names them; every type of the table's CHECK that
 * is neither here nor among the deductions is AI use.
 */
export const GRANTS = ['admin_grant', 'subscription_grant', 'trial_grant', 'token_pack_purchase'] as const

/** Action types of `token_usage` that take tokens back. */
export const DEDUCTIONS = ['admin_deduct'] as const

/** A Postgres text[] literal of names that need no quotes, as the rules read it: `current_setting('audit.grants')::text[]`. */
export function textArray(names: readonly string[]): string {
  return `{${names.join(',')}}`
}
