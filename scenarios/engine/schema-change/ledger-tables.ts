/** The tables that move or show tokens. */
export const LEDGER_TABLES = [
  'public.token_usage',
  'public.token_transactions',
  'public.token_drips',
  'public.user_profiles',
  'public.token_ledger_stage',
] as const
