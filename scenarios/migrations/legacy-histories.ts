import fc from 'fast-check'

/** How one row names the payment that it is about. */
export type Naming = 'session' | 'intent' | 'both' | 'none'

/** One row of a movement, in one of the two tables. */
export interface Entry {
  readonly names: Naming
  /** The sign of a legacy size: it has meant both things, so it means nothing. */
  readonly negative: boolean
  /** The payment stands in columns of its own, where the install has them; else in metadata. */
  readonly inColumns: boolean
  /** What stands in metadata where no payment does; undefined: no value at all. */
  readonly metadata: unknown
}

/** One movement, as often as it was written to either table. */
export interface Rows {
  readonly what: 'rows'
  readonly user: number
  readonly word: Word
  readonly tokens: number
  readonly legacy: readonly Entry[]
  readonly usage: readonly Entry[]
  /** Between the tables, where both of them name the payment: then time tells nothing. */
  readonly lateSeconds: number
  /** The usage rows are of failed calls. */
  readonly failed: boolean
  /** The legacy row has no time. */
  readonly timeless: boolean
}

/** A legacy row whose type tells no direction: its balances do, or nothing does. */
export interface Manual {
  readonly what: 'manual'
  readonly user: number
  readonly tokens: number
  readonly adds: boolean
  readonly told: boolean
}

/** A function of the app, some seconds apart. */
export interface Call {
  readonly what: 'annual' | 'drip' | 'trial'
  readonly user: number
  readonly times: number
}

export type Deed = Rows | Manual | Call

/** What the app does while the road is walked. `again` is the redelivery of a pack of the past. */
export interface Live {
  readonly user: number
  readonly what: 'pack' | 'again' | 'admin' | 'deduct' | 'use' | 'legacy' | 'manual' | Call['what']
}

/** A command, or an act of the app. `cutAt`: the backend ends at its n-th write or change of the schema. */
export type Act =
  | { readonly run: 'view'; readonly cutAt?: number }
  | { readonly run: 'undo'; readonly cutAt?: number }
  | {
      readonly run: 'unify'
      readonly cutAt?: number
      readonly batchRows: bigint
      /** One between two batches. */
      readonly meanwhile: readonly Live[]
    }
  | { readonly run: 'app'; readonly live: Live }

export interface History {
  readonly users: number
  readonly past: readonly Deed[]
  readonly acts: readonly Act[]
  /** What the app does once token_transactions is retired; undefined: it is not. */
  readonly retired: readonly Live[] | undefined
}

/** What a type is called in token_transactions, by what it is called in the ledger. */
const WORDS = {
  subscription_grant: ['annual_subscription_grant', 'subscription_grant', 'renewal_grant'],
  trial_grant: ['trial_grant'],
  token_pack_purchase: ['pack_purchase', 'token_pack_purchase'],
  admin_grant: ['admin_grant'],
  admin_deduct: ['admin_deduct'],
  chat_conversation: ['chat', 'chat_conversation'],
  vision_refinement: ['refinement'],
  blueprint_generation: ['blueprint'],
  assessment_scoring: ['assessment'],
  audio_generation: ['audio_generation'],
} as const
export type Type = keyof typeof WORDS
export interface Word {
  readonly is: Type
  readonly was: string
}
/** Types that add tokens. */
export const ADDS: ReadonlySet<string> = new Set<Type>([
  'subscription_grant',
  'trial_grant',
  'token_pack_purchase',
  'admin_grant',
])
export const isUse = (type: string) => !ADDS.has(type) && type !== 'admin_deduct'
/** Those that the app as found writes to token_usage; a pack under another name. */
const IN_USAGE: ReadonlySet<Type> = new Set([
  'token_pack_purchase',
  'admin_grant',
  'admin_deduct',
  'chat_conversation',
  'vision_refinement',
])
const USERS = 3
export const INT_MAX = 2_147_483_647

const words = fc.constantFrom(
  ...Object.entries(WORDS).flatMap(([is, all]) => all.map((was) => ({ is: is as Type, was }))),
)
const word = fc.oneof(
  { weight: 2, arbitrary: words },
  { weight: 1, arbitrary: words.filter(({ is }) => is === 'token_pack_purchase') },
  { weight: 1, arbitrary: words.filter(({ is }) => IN_USAGE.has(is) && isUse(is)) },
)
const user = fc.nat(USERS - 1)
const tokens = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 9 }).map((n) => n * 50_000) },
  { weight: 1, arbitrary: fc.constantFrom(0, 1, INT_MAX - 1, INT_MAX) },
)
const metadata = fc.constantFrom<unknown>(
  {},
  { note: 'ok', deep: { stripe_session_id: 'cs_of_somebody' }, empty: null },
  { stripe_session_id: null, request_id: null },
  undefined,
  null,
  ['a', 1],
  [],
  'text',
  7,
  true,
)
const entry = fc.record<Entry>({
  names: fc.constantFrom<Naming>('session', 'intent', 'both', 'none'),
  negative: fc.boolean(),
  inColumns: fc.boolean(),
  metadata,
})

const rows: fc.Arbitrary<Rows> = fc
  .record({
    what: fc.constant('rows' as const),
    user,
    word,
    tokens,
    // More than one: an older backfill, or an event that came twice.
    legacy: fc.oneof(
      { weight: 4, arbitrary: fc.array(entry, { minLength: 1, maxLength: 1 }) },
      { weight: 1, arbitrary: fc.array(entry, { maxLength: 3 }) },
    ),
    usage: fc.oneof(
      { weight: 4, arbitrary: fc.array(entry, { maxLength: 1 }) },
      { weight: 1, arbitrary: fc.array(entry, { maxLength: 3 }) },
    ),
    lateSeconds: fc.integer({ min: 0, max: 40 }),
    failed: fc.boolean(),
    timeless: fc.boolean(),
  })
  .map(plausible)

/** Takes out of a movement what no install could have written, or what nothing could tell apart. */
function plausible(deed: Rows): Rows {
  const { is } = deed.word
  const inUsage = IN_USAGE.has(is) && (deed.tokens > 0 || isUse(is))
  // Without a payment a pack in token_usage is an admin's grant, and in one movement all rows name what the first does.
  const pack = is === 'token_pack_purchase'
  const usage = (inUsage ? deed.usage : []).map((row) => ({
    ...row,
    names: !pack ? ('none' as const) : row.names === 'none' ? ('both' as const) : row.names,
  }))
  const legacy = deed.legacy.map((row) => ({ ...row, names: pack ? row.names : ('none' as const) }))
  const alone = usage.length === 0 && legacy.length === 1
  return {
    ...deed,
    legacy,
    usage,
    failed: deed.failed && usage.length > 0 && isUse(is),
    timeless: deed.timeless && alone,
  }
}

const manual = fc.record<Manual>({
  what: fc.constant('manual' as const),
  user,
  tokens: tokens.filter((n) => n > 0),
  adds: fc.boolean(),
  told: fc.boolean(),
})
const call = fc.record<Call>({
  what: fc.constantFrom('annual', 'drip', 'drip', 'drip', 'trial'),
  user,
  // On a balance the fourth drip lets it expire.
  times: fc.integer({ min: 1, max: 5 }),
})

const live = fc.record<Live>({
  user,
  what: fc.constantFrom<Live['what'][]>(
    'pack',
    'again',
    'admin',
    'deduct',
    'use',
    'legacy',
    'manual',
    'annual',
    'drip',
    'trial',
  ),
})
/** The first unify of a database has some ninety moments, those of its backfill in the middle. */
const cutAt = fc.option(
  fc.oneof(
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 110 }) },
    { weight: 2, arbitrary: fc.integer({ min: 36, max: 60 }) },
  ),
  { nil: undefined, freq: 2 },
)
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      run: fc.constant('unify' as const),
      cutAt,
      batchRows: fc.bigInt({ min: 1n, max: 6n }),
      meanwhile: fc.array(live, { maxLength: 3 }),
    }) as fc.Arbitrary<Act>,
  },
  { weight: 3, arbitrary: fc.record({ run: fc.constant('app' as const), live }) },
  {
    weight: 3,
    arbitrary: fc.record({
      run: fc.constantFrom('view' as const, 'undo' as const, 'undo' as const),
      cutAt,
    }) as fc.Arbitrary<Act>,
  },
)

/** A random past of an install, and a random way along the road. */
export const histories: fc.Arbitrary<History> = fc.record({
  users: fc.constant(USERS),
  past: fc.array(
    fc.oneof(
      { weight: 6, arbitrary: rows },
      { weight: 1, arbitrary: manual },
      { weight: 2, arbitrary: call },
    ),
    { minLength: 12, maxLength: 24 },
  ),
  acts: fc.array(act, { minLength: 2, maxLength: 6 }),
  retired: fc.option(fc.array(live, { maxLength: 3 }), { nil: undefined, freq: 3 }),
})
