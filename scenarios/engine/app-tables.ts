/** What the app writes while it runs. */
export const APP_TABLES: readonly string[] = [
  'auth.users',
  'public.user_profiles',
  'public.customer_subscriptions',
  'public.payment_history',
  'public.token_transactions',
  'public.token_drips',
  'public.token_usage',
]
