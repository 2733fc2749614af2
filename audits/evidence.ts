import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { UsageError } from './errors.ts'
import {
  type CheckoutSession,
  charge,
  checkoutSession,
  type Invoice,
  invoice,
  type Subscription,
  subscription,
} from './stripe-objects.ts'

/** Kinds of settled facts; each is the first part of the grant keys that it earns. */
export const KINDS = ['checkout_session', 'invoice', 'trial', 'admin'] as const
export type Kind = (typeof KINDS)[number]

type Plan = 'annual' | '28day'

/** What a paid period, and a trial, of a plan is worth, in tokens. */
const PLANS: Readonly<Record<Plan, { paid: bigint; trial: bigint }>> = {
  annual: { paid: 5_000_000n, trial: 1_000_000n },
  '28day': { paid: 375_000n, trial: 500_000n },
}
const TIERS = { vision_pro_annual: 'annual', vision_pro_28day: '28day' } as const

/** Stripe delivers an event at most this long after the fact. */
const LATEST_DELIVERY_MS = 30 * 86_400_000

const time = z.iso.datetime({ offset: true, error: 'not an ISO 8601 time with a zone' })
const uuid = z.guid('not a UUID')

const evidenceFile = z
  .strictObject({
    version: z.literal(1, 'this audit reads version 1'),
    /** Objects of the other mode earn nothing. */
    livemode: z.boolean(),
    /** The kinds that are complete here, and for which time; null: since ever, for ever. */
    covers: z
      .array(
        z.strictObject({
          kind: z.enum(KINDS, {
            error: ({ input }) => `unknown kind ${JSON.stringify(input)}; known are: ${KINDS.join(', ')}`,
          }),
          from: time.nullable(),
          to: time.nullable(),
        }),
      )
      .min(1, 'it covers nothing; name at least one kind'),
    /** Stripe's price ids → tiers; null: a price that is known, and grants nothing. */
    tiers: z.record(z.string(), z.enum(['vision_pro_annual', 'vision_pro_28day']).nullable()).default({}),
    checkout_sessions: z.array(checkoutSession).default([]),
    invoices: z.array(invoice).default([]),
    subscriptions: z.array(subscription).default([]),
    /** Needed of those that were refunded. */
    charges: z.array(charge).default([]),
    admin_requests: z
      .array(
        z.strictObject({
          id: z.string().min(1),
          user_id: uuid,
          delta: z.string().regex(/^-?[1-9]\d*$/, 'not a whole number other than 0, in quotes'),
          reason: z.string(),
          admin_user_id: uuid.nullable(),
          requested_at: time,
        }),
      )
      .default([]),
  })
  .superRefine((file, context) => {
    const twice = (path: string, ids: readonly string[]) => {
      for (const id of new Set(ids.filter((id, index) => ids.indexOf(id) !== index))) {
        context.addIssue({ code: 'custom', path: [path], message: `"${id}" is there twice` })
      }
    }
    twice(
      'covers',
      file.covers.map(({ kind }) => kind),
    )
    for (const key of [
      'checkout_sessions',
      'invoices',
      'subscriptions',
      'charges',
      'admin_requests',
    ] as const) {
      twice(
        key,
        file[key].map(({ id }) => id),
      )
    }
    for (const { kind, from, to } of file.covers) {
      if (from !== null && to !== null && Date.parse(from) > Date.parse(to)) {
        context.addIssue({ code: 'custom', path: ['covers'], message: `${kind}: from is later than to` })
      }
    }
  })

/** Settled facts and their circumstances, as an evidence file holds them. */
export type Evidence = z.output<typeof evidenceFile>

/** What one settled fact owes. Tokens and cents as texts of whole numbers, times as ISO 8601. */
export interface Entitlement {
  readonly grant_key: string
  readonly kind: Kind
  readonly user_id: string
  readonly action_type: string
  readonly tokens: string
  readonly occurred_at: string
  readonly stripe_session_id: string | null
  readonly stripe_payment_intent: string | null
  readonly stripe_invoice_id: string | null
  readonly stripe_subscription_id: string | null
  readonly pack_id: string | null
  readonly request_id: string | null
  readonly plan: Plan | null
  readonly refunded_cents: string
}

/** What the rules read as `audit.evidence`. */
export interface Entitlements {
  readonly covers: Readonly<
    Partial<Record<Kind, { from: string | null; to: string | null; unearned_from: string | null }>>
  >
  readonly entitlements: readonly Entitlement[]
  /** Facts that look like one and owe nothing; `why` completes "which is …". */
  readonly refused: readonly { readonly grant_key: string; readonly why: string }[]
}

/**
 * Reads an evidence file.
 *
 * @throws UsageError with one line for each problem: file, place in it, what
 */
export async function readEvidence(file: string): Promise<Evidence> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new UsageError(`${file}: can't be read: ${error instanceof Error ? error.message : String(error)}`)
  }
  return parseEvidence(text, file)
}

/** @throws UsageError, see `readEvidence` */
export function parseEvidence(text: string, file: string): Evidence {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    // The parser's message quotes the text, and the text holds people.
    throw new UsageError(`${file}: not JSON; an evidence file is one JSON object`)
  }
  const read = evidenceFile.safeParse(json)
  if (!read.success) {
    throw new UsageError(read.error.issues.map(({ path, message }) => `${file}: ${pathOf(path)}${message}`))
  }
  return read.data
}

function pathOf(path: readonly PropertyKey[]): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('')
  return text === '' ? '' : `${text.replace(/^\./, '')}: `
}

/**
 * What is owed: the only place that knows it.
 *
 * - A paid checkout session of a token pack owes the pack, as often as it was bought.
 * - A paid invoice that starts or renews a plan owes the plan's tokens; the line's amount before discounts counts, so
 *   that a 100 % coupon grants and the $0 line of a trial does not. Prorations, manual invoices and updates owe nothing.
 * - A subscription that starts in trial owes the plan's trial tokens.
 * - An admin request owes what it says.
 *
 * Facts of kinds that are not covered are left out: they may stand in the file only to tell whose an invoice is.
 *
 * @throws UsageError with one line for each object that can't be judged: a session without its line items, a price
 *   that `tiers` does not know, nobody to whom it belongs
 */
export function entitlements(evidence: Evidence): Entitlements {
  const judge = new Judge(evidence)
  const covered = new Set(evidence.covers.map(({ kind }) => kind))
  const judgements = [
    ...(covered.has('checkout_session') ? evidence.checkout_sessions.map((it) => judge.session(it)) : []),
    ...(covered.has('invoice') ? evidence.invoices.map((it) => judge.invoice(it)) : []),
    ...(covered.has('trial') ? evidence.subscriptions.map((it) => judge.trial(it)) : []),
    ...(covered.has('admin') ? evidence.admin_requests.map((it) => adminEntitlement(it)) : []),
  ]
  const problems = judgements.flatMap((it) => ('problem' in it ? [`evidence: ${it.problem}`] : []))
  if (problems.length > 0) {
    throw new UsageError(problems)
  }
  return {
    covers: Object.fromEntries(
      evidence.covers.map(({ kind, from, to }) => [
        kind,
        {
          from,
          to,
          unearned_from: from === null ? null : new Date(Date.parse(from) + LATEST_DELIVERY_MS).toISOString(),
        },
      ]),
    ),
    entitlements: judgements.flatMap((it) => ('tokens' in it ? [it] : [])).sort(byTime),
    refused: judgements.flatMap((it) => ('why' in it ? [it] : [])),
  }
}

type Judged =
  | Entitlement
  | { readonly grant_key: string; readonly why: string }
  | { readonly problem: string }

class Judge {
  readonly #evidence: Evidence
  readonly #subscriptions: ReadonlyMap<string, Subscription>
  readonly #sessionsBySubscription: ReadonlyMap<string, CheckoutSession>
  readonly #refunds: ReadonlyMap<string, bigint>

  constructor(evidence: Evidence) {
    this.#evidence = evidence
    this.#subscriptions = new Map(evidence.subscriptions.map((it) => [it.id, it]))
    this.#sessionsBySubscription = new Map(
      evidence.checkout_sessions.flatMap((it) => (it.subscription === null ? [] : [[it.subscription, it]])),
    )
    const refunds = new Map<string, bigint>()
    for (const { payment_intent: intent, amount_refunded: cents } of evidence.charges) {
      if (intent !== null) {
        refunds.set(intent, (refunds.get(intent) ?? 0n) + BigInt(cents))
      }
    }
    this.#refunds = refunds
  }

  session(session: CheckoutSession): Judged {
    const grant_key = `checkout_session:${session.id}`
    const { metadata } = session
    if (session.livemode !== this.#evidence.livemode) {
      return { grant_key, why: otherMode(session) }
    }
    if (session.mode !== 'payment' || metadata.purchase_type !== 'token_pack') {
      return { grant_key, why: 'no token pack' }
    }
    if (session.payment_status === 'unpaid') {
      return { grant_key, why: 'unpaid' }
    }
    // A session of a free order needs no payment from the moment that it is opened.
    if (session.status === 'open' || session.status === 'expired') {
      return { grant_key, why: `${session.status}, not complete` }
    }
    const quantities = session.line_items?.data.map(({ quantity }) => quantity) ?? []
    const quantity = quantities.reduce((sum: bigint, one) => sum + BigInt(one ?? 0), 0n)
    if (quantity === 0n || quantities.includes(null)) {
      return { problem: `checkout session ${session.id} has no line_items with quantities: expand them` }
    }
    if (!/^[1-9]\d*$/.test(metadata.tokens_amount ?? '')) {
      return { problem: `checkout session ${session.id}: metadata.tokens_amount is no number of tokens` }
    }
    const user_id = userOf(metadata)
    if (user_id === undefined) {
      return nobody(`checkout session ${session.id}`)
    }
    return {
      ...NOTHING,
      grant_key,
      kind: 'checkout_session',
      user_id,
      action_type: 'token_pack_purchase',
      tokens: String(BigInt(metadata.tokens_amount ?? '') * quantity),
      occurred_at: iso(session.created),
      stripe_session_id: session.id,
      stripe_payment_intent: session.payment_intent,
      pack_id: metadata.pack_id ?? null,
      refunded_cents: this.#refunded([session.payment_intent ?? '']),
    }
  }

  invoice(invoice: Invoice): Judged {
    const grant_key = `invoice:${invoice.id}`
    if (invoice.livemode !== this.#evidence.livemode) {
      return { grant_key, why: otherMode(invoice) }
    }
    if (invoice.status !== 'paid') {
      return { grant_key, why: 'unpaid' }
    }
    if (!['subscription_create', 'subscription_cycle'].includes(invoice.billing_reason ?? '')) {
      return {
        grant_key,
        why: `neither a start nor a renewal (${invoice.billing_reason ?? 'no billing reason'})`,
      }
    }
    const prices = invoice.lines.flatMap(({ proration, amount, price }) =>
      !proration && amount > 0 ? [price ?? 'no price'] : [],
    )
    const read = this.#planOf(prices, `invoice ${invoice.id}`)
    if ('problem' in read) {
      return read
    }
    if (read.plan === null) {
      return { grant_key, why: 'no paid period of a plan' }
    }
    const owner = invoice.subscription ?? ''
    const user_id =
      userOf(invoice.metadata) ?? userOf(invoice.subscriptionMetadata) ?? this.#userOfSubscription(owner)
    if (user_id === undefined) {
      return nobody(`invoice ${invoice.id}`)
    }
    return {
      ...NOTHING,
      grant_key,
      kind: 'invoice',
      user_id,
      action_type: 'subscription_grant',
      tokens: String(PLANS[read.plan].paid),
      occurred_at: iso(invoice.settled),
      stripe_payment_intent: invoice.paymentIntents[0] ?? null,
      stripe_invoice_id: invoice.id,
      stripe_subscription_id: invoice.subscription,
      plan: read.plan,
      refunded_cents: this.#refunded(invoice.paymentIntents),
    }
  }

  trial(subscription: Subscription): Judged {
    const grant_key = `trial:${subscription.id}`
    const { trial_start, created, start_date = created, status } = subscription
    if (subscription.livemode !== this.#evidence.livemode) {
      return { grant_key, why: otherMode(subscription) }
    }
    // A trial that is added later starts later than the subscription.
    if (trial_start === null || trial_start > Math.max(created, start_date)) {
      return { grant_key, why: 'no subscription that starts in trial' }
    }
    if (status === 'incomplete' || status === 'incomplete_expired') {
      return { grant_key, why: 'incomplete' }
    }
    const read = this.#planOf(this.#pricesAtStart(subscription), `subscription ${subscription.id}`)
    if ('problem' in read) {
      return read
    }
    if (read.plan === null) {
      return { grant_key, why: 'no trial of a plan' }
    }
    const user_id = this.#userOfSubscription(subscription.id)
    if (user_id === undefined) {
      return nobody(`subscription ${subscription.id}`)
    }
    return {
      ...NOTHING,
      grant_key,
      kind: 'trial',
      user_id,
      action_type: 'trial_grant',
      tokens: String(PLANS[read.plan].trial),
      occurred_at: iso(trial_start),
      stripe_subscription_id: subscription.id,
      plan: read.plan,
    }
  }

  #planOf(prices: readonly string[], what: string): { plan: Plan | null } | { problem: string } {
    const { tiers } = this.#evidence
    const unknown = prices.find((price) => tiers[price] === undefined)
    if (unknown !== undefined) {
      return {
        problem: `${what} has the price "${unknown}", which tiers does not know; null there grants nothing`,
      }
    }
    const plans = new Set(
      prices.flatMap((price) => {
        const tier = tiers[price] ?? null
        return tier === null ? [] : [TIERS[tier]]
      }),
    )
    const [plan = null] = plans
    return plans.size > 1 ? { problem: `${what} pays two plans at once` } : { plan }
  }

  /** What was bought, where the session that started it says so: the items show what it has become since. */
  #pricesAtStart({ id, items }: Subscription): string[] {
    const bought = this.#sessionsBySubscription.get(id)?.line_items?.data ?? []
    const prices = bought.flatMap(({ price }) => price ?? [])
    return prices.length > 0 ? prices : items.data.map(({ price }) => price)
  }

  #userOfSubscription(id: string): string | undefined {
    return (
      userOf(this.#subscriptions.get(id)?.metadata ?? {}) ??
      userOf(this.#sessionsBySubscription.get(id)?.metadata ?? {})
    )
  }

  #refunded(paymentIntents: readonly string[]): string {
    return String(paymentIntents.reduce((sum, intent) => sum + (this.#refunds.get(intent) ?? 0n), 0n))
  }
}

function adminEntitlement(request: Evidence['admin_requests'][number]): Entitlement {
  const delta = BigInt(request.delta)
  return {
    ...NOTHING,
    grant_key: `admin:${request.id}`,
    kind: 'admin',
    user_id: request.user_id,
    action_type: delta > 0n ? 'admin_grant' : 'admin_deduct',
    tokens: String(delta > 0n ? delta : -delta),
    occurred_at: new Date(request.requested_at).toISOString(),
    request_id: request.id,
  }
}

const NOTHING = {
  stripe_session_id: null,
  stripe_payment_intent: null,
  stripe_invoice_id: null,
  stripe_subscription_id: null,
  pack_id: null,
  request_id: null,
  plan: null,
  refunded_cents: '0',
} as const

function userOf(metadata: Readonly<Record<string, string>>): string | undefined {
  // As Postgres writes it: what a shop has written in capitals is the same user.
  return uuid.safeParse(metadata.user_id).data?.toLowerCase()
}

function nobody(what: string): { problem: string } {
  return {
    problem: `${what} belongs to nobody: no metadata.user_id (a UUID) on it, on its subscription, or on that one's checkout session`,
  }
}

function otherMode({ livemode }: { livemode: boolean }): string {
  return livemode ? 'live mode' : 'test mode'
}

function iso(seconds: number): string {
  return new Date(seconds * 1_000).toISOString()
}

function byTime(a: Entitlement, b: Entitlement): number {
  return a.occurred_at === b.occurred_at
    ? a.grant_key < b.grant_key
      ? -1
      : 1
    : a.occurred_at < b.occurred_at
      ? -1
      : 1
}
