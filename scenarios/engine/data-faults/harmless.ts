/** Faults that no rule has to see, and why. In all of the texts a `*` stands for anything. */
export interface Harmless {
  /** `table.column`, or `table` for faults of the whole row. */
  readonly column: string
  /** Kinds of fault; all without it. */
  readonly kinds?: readonly string[]
  /** Kinds of row; all without it. */
  readonly rows?: readonly string[]
  /** In other rows it is caught, or refused, and it must be in one at least. */
  readonly sometimes?: true
  readonly reason: string
}

const MOVED = ['an hour*', 'a day*']
const USES = ['*generation', 'chat_conversation*']
const OLD = ['* without balances']

const USAGE: readonly Harmless[] = [
  {
    column: 'token_usage',
    kinds: ['deleted'],
    rows: ['* that failed'],
    reason: 'a failed call moves nothing, so nothing is missing without it',
  },
  {
    column: 'token_usage.tokens_used',
    kinds: ['one more', 'one less', 'zero'],
    rows: ['* that failed'],
    reason: 'a failed call moves nothing, whatever its size says',
  },
  {
    column: 'token_usage.action_type',
    kinds: [
      'becomes *generation',
      'becomes *scoring',
      'becomes *refinement',
      'becomes chat_conversation',
      'becomes transcription',
      'becomes life_vision*',
      'becomes prompt_suggestions',
      'becomes frequency_flip',
    ],
    rows: USES,
    reason: 'each sort of AI use takes tokens alike, and nothing else says which it was',
  },
  {
    column: 'token_usage.action_type',
    kinds: ['swapped with a neighbour'],
    rows: USES,
    sometimes: true,
    reason: 'two uses swap what they were for, and both take tokens alike',
  },
  {
    column: 'token_usage.action_type',
    kinds: ['becomes admin_grant', 'becomes subscription_grant', 'becomes trial_grant'],
    rows: ['token_pack_purchase without balances'],
    sometimes: true,
    reason: 'an older row that was reversed names no fact of its own, and adds as before',
  },
  {
    column: 'token_usage.created_at',
    kinds: ['an hour earlier', 'a day earlier'],
    sometimes: true,
    reason: 'the order of the rows stays: only the rows beside it tell when a row was written',
  },
  {
    column: 'token_usage.created_at',
    kinds: ['swapped with a neighbour'],
    rows: OLD,
    sometimes: true,
    reason: 'rows from before unify carry no balances, and need no order',
  },
  {
    column: 'token_usage.id',
    kinds: ['another id'],
    sometimes: true,
    reason: 'nothing refers to the row',
  },
  {
    column: 'token_usage.metadata',
    kinds: ['null'],
    rows: USES,
    reason: 'AI use names no fact',
  },
  {
    column: 'token_usage.metadata',
    kinds: ['null', 'emptied', 'swapped with a neighbour'],
    rows: ['admin_grant without balances', 'token_pack_purchase without balances'],
    sometimes: true,
    reason: 'an older row under a legacy key is named by its own id',
  },
  ...['admin_action', 'delta'].map((key) => ({
    column: `token_usage.metadata.${key}`,
    reason: 'repeats the type and the size of the row, which are judged',
  })),
  ...['amount_paid', 'pack_id', 'purchase_amount', 'purchase_currency', 'token_pack_id'].map((key) => ({
    column: `token_usage.metadata.${key}`,
    reason: 'tells people what was bought; what it is worth is judged by the session that the key names',
  })),
  ...['legacy_action_type', 'occurred_at', 'trial_period_days', 'cycle_number'].map((key) => ({
    column: `token_usage.metadata.${key}`,
    reason: 'is for people to read: nothing is computed from it',
  })),
  {
    column: 'token_usage.metadata.adjustment',
    rows: ['trial_grant*', 'subscription_grant'],
    reason: 'says which file was reviewed; what the row is for is in its key',
  },
  {
    column: 'token_usage.metadata.plan',
    kinds: ['changed', 'removed'],
    reason: 'the size tells one plan from the other',
  },
  {
    column: 'token_usage.metadata.plan',
    kinds: ["another row's"],
    sometimes: true,
    reason: 'a drip that follows a reset, like a yearly grant, starts from an empty balance',
  },
  {
    column: 'token_usage.metadata.reason',
    rows: [
      'admin_grant*',
      'admin_deduct',
      'admin_deduct without balances',
      'trial_grant*',
      'subscription_grant',
    ],
    reason: 'what an admin or a reviewer wrote; only the reason of a reset has a meaning',
  },
  {
    column: 'token_usage.metadata.reason',
    kinds: ["another row's"],
    rows: ['admin_deduct of a reset'],
    sometimes: true,
    reason: 'which of the two resets it was, its grant says; each takes all that there was',
  },
  {
    column: 'token_usage.metadata.stripe_payment_intent',
    kinds: ['changed', 'removed'],
    rows: ['token_pack_purchase*', 'subscription_grant', 'admin_deduct of a reset'],
    reason: 'the key names the session or the invoice, and the evidence knows the payment of that',
  },
  {
    column: 'token_usage.metadata.stripe_payment_intent',
    kinds: ["another row's"],
    rows: ['admin_deduct of a reset', 'token_pack_purchase without balances'],
    sometimes: true,
    reason: 'no second grant is under that payment: a reset is none, and an older row may be reversed',
  },
  {
    column: 'token_usage.metadata.stripe_session_id',
    kinds: ['changed', 'removed'],
    rows: ['trial_grant'],
    reason: 'a trial is named by its subscription',
  },
  {
    column: 'token_usage.metadata.stripe_session_id',
    kinds: ['changed', 'removed'],
    rows: ['token_pack_purchase without balances'],
    sometimes: true,
    reason: 'an older row under a legacy key is named by its own id',
  },
  {
    column: 'token_usage.metadata.stripe_subscription_id',
    rows: ['subscription_grant*', 'admin_deduct of a reset'],
    reason: 'the grant of a plan is named by its invoice, and the invoice by the evidence',
  },
  ...['cost_estimate', 'input_tokens', 'output_tokens'].map((column) => ({
    column: `token_usage.${column}`,
    reason: 'what a call cost in money, and how its tokens divide, moves no balance',
  })),
  {
    column: 'token_usage.model_used',
    kinds: ['changed', 'swapped with a neighbour'],
    reason: 'tells people which model it was; nothing is computed from it',
  },
  {
    column: 'token_usage.model_used',
    kinds: ["another row's"],
    sometimes: true,
    reason: 'tells people which model it was; nothing is computed from it',
  },
]

const PROFILES: readonly Harmless[] = [
  {
    column: 'user_profiles',
    kinds: ['deleted'],
    rows: ['active of nobody', 'draft'],
    reason: 'a draft is a copy, and who has neither tokens nor rows needs no profile',
  },
  ...['is_active', 'is_draft'].map((column) => ({
    column: `user_profiles.${column}`,
    kinds: ['flipped'],
    rows: ['active of nobody', 'draft'],
    reason: 'the active row stays the only one; who has neither tokens nor rows needs none',
  })),
  {
    column: 'user_profiles.vibe_assistant_tokens_*',
    kinds: ['null'],
    sometimes: true,
    reason: 'null reads as 0, and 0 it was',
  },
  {
    column: 'user_profiles.vibe_assistant_total_cost',
    kinds: ['null'],
    reason: 'null reads as 0, and 0 it was',
  },
  {
    column: 'user_profiles.vibe_assistant_total_cost',
    kinds: ['one more', 'one less'],
    sometimes: true,
    reason: 'an estimate in money: only that the rows of a user agree in it is judged',
  },
  {
    column: 'user_profiles.token_rollover_cycles',
    sometimes: true,
    reason:
      'who had no drip has no count to compare with, and of a year from before unify nobody knows whether it set it back; the next drip is judged',
  },
  {
    column: 'user_profiles.token_last_drip_date',
    kinds: ['null', ...MOVED],
    sometimes: true,
    reason: 'is shown, and nothing is computed from it; only that the rows of a user agree in it is judged',
  },
  {
    column: 'user_profiles.id',
    kinds: ['another id'],
    sometimes: true,
    reason: 'nothing refers to the row: a profile is found by its user',
  },
  ...['created_at', 'updated_at'].map((column) => ({
    column: `user_profiles.${column}`,
    kinds: [...MOVED, 'swapped with a neighbour'],
    reason: 'says when the app wrote the profile, not when tokens moved',
  })),
  ...['auto_topup_enabled', 'storage_quota_gb', 'parent_version_id'].map((column) => ({
    column: `user_profiles.${column}`,
    reason: 'belongs to the app: no token depends on it',
  })),
  {
    column: 'user_profiles.version_number',
    kinds: ['negated', 'one*', 'zero', 'swapped with a neighbour'],
    reason: 'belongs to the app: which row is the balance, is_active and is_draft say',
  },
]

const SUBSCRIPTIONS: readonly Harmless[] = [
  {
    column: 'customer_subscriptions',
    kinds: ['deleted', 'doubled under another key'],
    sometimes: true,
    reason: 'what was granted keeps the name of its subscription; the app writes the row anew from Stripe',
  },
  ...['id', 'user_id'].map((column) => ({
    column: `customer_subscriptions.${column}`,
    kinds: ['another id', 'another user'],
    sometimes: true as const,
    reason: 'what was granted stays with its user; to whom the next grant goes is judged by evidence',
  })),
  ...['status', 'stripe_subscription_id'].map((column) => ({
    column: `customer_subscriptions.${column}`,
    sometimes: true as const,
    reason: 'Stripe says what a subscription is, and the app writes it down again; no grant is read from it',
  })),
  ...[
    'cancel_at_period_end',
    'canceled_at',
    'created_at',
    'current_period_end',
    'current_period_start',
    'membership_tier_id',
    'stripe_customer_id',
    'stripe_price_id',
    'trial_end',
    'trial_start',
    'updated_at',
  ].map((column) => ({
    column: `customer_subscriptions.${column}`,
    kinds: ['flipped', ...MOVED, 'swapped with a neighbour', 'changed', "another row's", 'another row'],
    reason: 'Stripe says what a subscription is, and the app writes it down again; no grant is read from it',
  })),
  ...[
    'canceled_at',
    'current_period*',
    'membership_tier_id',
    'stripe_customer_id',
    'stripe_price_id',
    'trial_*',
  ].map((column) => ({
    column: `customer_subscriptions.${column}`,
    kinds: ['null'],
    reason: 'Stripe says what a subscription is, and the app writes it down again; no grant is read from it',
  })),
]

const DRIPS: readonly Harmless[] = [
  {
    column: 'token_drips.cycle_number',
    kinds: ['swapped with a neighbour'],
    sometimes: true,
    reason: 'of a drip from before unify: callers counted for themselves',
  },
  {
    column: 'token_drips.drip_date',
    kinds: [...MOVED, 'swapped with a neighbour'],
    sometimes: true,
    reason: 'the order of the drips stays, or one is from before unify',
  },
  { column: 'token_drips.id', kinds: ['another id'], sometimes: true, reason: 'nothing refers to the row' },
  {
    column: 'token_drips.metadata',
    kinds: ['null', 'swapped with a neighbour'],
    sometimes: true,
    reason:
      'a drip from before unify has no metadata; of two of one user and size the grants may be exchanged',
  },
  {
    column: 'token_drips.metadata.stripe_subscription_id',
    sometimes: true,
    reason: 'where the subscription has a row, subscription_id says it, and is asked first',
  },
  {
    column: 'token_drips.subscription_id',
    kinds: ['null', 'another row'],
    sometimes: true,
    reason: 'the metadata say it too; a user with one drip has the same cycles under either subscription',
  },
  {
    column: 'token_drips.subscription_id',
    kinds: ['swapped with a neighbour'],
    reason: 'each has as many cycles as before',
  },
]

const TRANSACTIONS: readonly Harmless[] = [
  {
    column: 'token_transactions',
    kinds: ['deleted'],
    sometimes: true,
    reason:
      'the grant is in the ledger; yearly grants that were made while the table was retired never were here',
  },
  {
    column: 'token_transactions.action_type',
    kinds: ['becomes *grant', 'becomes *purchase', 'becomes manual_adjustment'],
    reason: 'its counterpart in the ledger says what it was; here the direction is judged',
  },
  {
    column: 'token_transactions.tokens_used',
    kinds: ['negated'],
    sometimes: true,
    reason: 'of rows from before unify the table has both signs: the type says the direction',
  },
  {
    column: 'token_transactions.tokens_remaining',
    kinds: ['one more', 'one less', 'negated', 'zero'],
    sometimes: true,
    reason: 'a row from before unify: its snapshot was computed past any lock, and nothing is read from it',
  },
  {
    column: 'token_transactions.id',
    kinds: ['another id'],
    sometimes: true,
    reason: 'nothing refers to the row',
  },
  {
    column: 'token_transactions.metadata',
    kinds: ['null', 'emptied'],
    sometimes: true,
    reason: 'a row from before unify names nothing: the copy in the ledger names it',
  },
  {
    column: 'token_transactions.metadata',
    kinds: ['swapped with a neighbour'],
    reason: 'two yearly grants of one user are alike, and the rows that they name may be exchanged',
  },
  { column: 'token_transactions.metadata.plan', reason: 'repeats the type' },
  ...['created_at', 'created_by', 'subscription_id'].map((column) => ({
    column: `token_transactions.${column}`,
    reason: 'its counterpart in the ledger says when and for what it was',
  })),
  ...['amount_paid_cents', 'completion_tokens', 'currency', 'estimated_cost_usd', 'prompt_tokens'].map(
    (column) => ({
      column: `token_transactions.${column}`,
      reason: 'money and details of old calls: nothing is computed from them',
    }),
  ),
]

export const HARMLESS: readonly Harmless[] = [
  ...USAGE,
  ...PROFILES,
  ...SUBSCRIPTIONS,
  ...DRIPS,
  ...TRANSACTIONS,
]
