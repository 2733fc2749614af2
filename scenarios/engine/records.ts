import type { ClientBase } from 'pg'
import { z } from 'zod'
import type { CheckoutSession, Invoice, StripeModel, Subscription } from '../../fixtures/stripe/model.ts'
import { PLANS } from '../../fixtures/stripe/prices.ts'
import type { World } from '../../fixtures/stripe/world.ts'

/**
 * What the app keeps beside the ledger's amounts: a row for each subscription, which payment a grant was paid with, and
 * the rows that readers of the older tables find. It is judged by what Stripe holds when a story is over, whatever the
 * story tells.
 */

/** What Stripe held at one moment; its objects never change, a newer state is another one. */
export type StripeBefore = ReadonlySet<StripeModel>

const KINDS = ['subscription', 'invoice', 'checkout.session'] as const

export function stripeNow(world: World): StripeBefore {
  return new Set(KINDS.flatMap((kind): StripeModel[] => world.all(kind)))
}

/**
 * What is not kept as Stripe has it now, a line each, of all that has changed at Stripe since `before`: what was so
 * already was told to another app, perhaps.
 */
export async function complaintsAboutRecords(
  client: ClientBase,
  world: World,
  before: StripeBefore,
): Promise<string[]> {
  const changed = <T extends StripeModel>(objects: readonly T[]) =>
    objects.filter((object) => object.livemode && !before.has(object))
  const subscriptions = changed(world.all('subscription'))
  const facts = [
    ...changed(world.all('checkout.session')).map(factOfSession),
    ...changed(world.all('invoice')).map(factOfInvoice),
    ...subscriptions.map(factOfTrial),
  ]
  const kept = await readRecords(
    client,
    subscriptions,
    facts.map(({ key }) => key),
  )
  return [
    ...subscriptions.flatMap((subscription) => aboutSubscription(subscription, kept.subscriptions)),
    ...facts.flatMap((fact) => aboutGrant(fact, kept.grants)),
  ]
}

const seconds = z
  .string()
  .nullable()
  .transform((text) => (text === null ? null : Date.parse(text) / 1_000))

const SubscriptionRow = z.object({
  user_id: z.string(),
  stripe_subscription_id: z.string().nullable(),
  stripe_customer_id: z.string().nullable(),
  status: z.string(),
  stripe_price_id: z.string().nullable(),
  tier_price: z.string().nullable(),
  current_period_start: seconds,
  current_period_end: seconds,
  cancel_at_period_end: z.boolean().nullable(),
  canceled_at: seconds,
  trial_start: seconds,
  trial_end: seconds,
})
type SubscriptionRow = z.infer<typeof SubscriptionRow>

const Grant = z.object({
  key: z.string(),
  metadata: z.record(z.string(), z.unknown()).nullable(),
  /** How many rows of an older table name it; null where there is no such table. */
  transactions: z.int().nullable(),
  drips: z.int().nullable(),
})
type Grant = z.infer<typeof Grant>

async function readRecords(
  client: ClientBase,
  subscriptions: readonly Subscription[],
  keys: readonly string[],
): Promise<{ subscriptions: readonly SubscriptionRow[]; grants: readonly Grant[] }> {
  const { rows: tables } = await client.query<{ transactions: boolean; drips: boolean }>(
    `select to_regclass('public.token_transactions') is not null as transactions,
       to_regclass('public.token_drips') is not null as drips`,
  )
  const naming = (table: string, isThere: boolean | undefined) =>
    isThere
      ? `(select count(*) from public.${table} as t where t.metadata ->> 'token_usage_id' = u.id::text)`
      : 'null'
  // The subscriptions of a user belong together: one may keep another out.
  const { rows } = await client.query(
    `select
       (select coalesce(jsonb_agg(to_jsonb(s) || jsonb_build_object('tier_price', t.stripe_price_id)), '[]')
        from public.customer_subscriptions as s
        left join public.membership_tiers as t on t.id = s.membership_tier_id
        where s.stripe_subscription_id = any($1) or s.user_id::text = any($2)) as subscriptions,
       (select coalesce(jsonb_agg(jsonb_build_object(
          'key', to_jsonb(u) ->> 'grant_key', 'metadata', u.metadata,
          'transactions', ${naming('token_transactions', tables[0]?.transactions)},
          'drips', ${naming('token_drips', tables[0]?.drips)})), '[]')
        from public.token_usage as u
        where to_jsonb(u) ->> 'grant_key' = any($3)) as grants`,
    [subscriptions.map(({ id }) => id), subscriptions.map(({ metadata }) => metadata.user_id), keys],
  )
  return z.object({ subscriptions: z.array(SubscriptionRow), grants: z.array(Grant) }).parse(rows[0])
}

const LIVE: ReadonlySet<string> = new Set(['active', 'trialing'])

/** The table holds one live row a user: where another subscription has it, nothing is said of this one. */
function aboutSubscription(subscription: Subscription, rows: readonly SubscriptionRow[]): string[] {
  const { id, customer, metadata, price, cancelAtPeriodEnd } = subscription
  const others = rows.filter((row) => row.user_id === metadata.user_id && row.stripe_subscription_id !== id)
  if (LIVE.has(subscription.status) && others.some(({ status }) => LIVE.has(status))) return []
  const row = rows.find((one) => one.stripe_subscription_id === id)
  if (row === undefined) return [`${id} has no row in customer_subscriptions`]
  const wanted: Omit<SubscriptionRow, 'stripe_subscription_id'> = {
    user_id: metadata.user_id ?? '',
    stripe_customer_id: customer,
    // The column's type does not know `paused`; such a subscription is not paid for, and not live.
    status: subscription.status === 'paused' ? 'unpaid' : subscription.status,
    stripe_price_id: price.id,
    tier_price: price.id,
    current_period_start: subscription.periodStart,
    current_period_end: subscription.periodEnd,
    cancel_at_period_end: cancelAtPeriodEnd,
    canceled_at: subscription.canceledAt,
    trial_start: subscription.trialStart,
    trial_end: subscription.trialEnd,
  }
  return differences(`customer_subscriptions of ${id}`, wanted, row)
}

/** A settled fact, and what the row of its grant has to name. */
interface Fact {
  readonly key: string
  readonly names: Readonly<Record<string, string | null>>
  readonly plan: 'annual' | '28day' | null
}

function factOfSession({ id, paymentIntent, metadata }: CheckoutSession): Fact {
  return {
    key: `checkout_session:${id}`,
    names: {
      stripe_session_id: id,
      stripe_payment_intent: paymentIntent,
      pack_id: metadata.pack_id ?? null,
    },
    plan: null,
  }
}

function factOfInvoice({ id, status, subscription, paymentIntent, outOfBand, lines }: Invoice): Fact {
  const sold = lines.filter(({ proration }) => !proration).map(({ price }) => price.id)
  const isSold = (plan: 'annual' | '28day') => sold.includes(PLANS[plan].price.id)
  return {
    key: `invoice:${id}`,
    names: {
      stripe_invoice_id: id,
      stripe_subscription_id: subscription,
      stripe_payment_intent: status === 'paid' && !outOfBand ? paymentIntent : null,
    },
    plan: isSold('annual') ? 'annual' : isSold('28day') ? '28day' : null,
  }
}

function factOfTrial({ id }: Subscription): Fact {
  return { key: `trial:${id}`, names: { stripe_subscription_id: id }, plan: null }
}

/** Whether there is a grant at all is the story's to say. */
function aboutGrant({ key, names, plan }: Fact, grants: readonly Grant[]): string[] {
  const grant = grants.find((one) => one.key === key)
  if (grant === undefined) return []
  const { metadata, transactions, drips } = grant
  const complaints = differences(
    `the grant ${key}`,
    names,
    Object.fromEntries(Object.keys(names).map((name) => [name, metadata?.[name] ?? null])),
  )
  const rowsOf = (table: string, found: number | null, wanted: number) => {
    if (found === null || found === wanted) return
    complaints.push(`the grant ${key} should have ${wanted} of its own in ${table}, but has ${found}`)
  }
  rowsOf('token_transactions', transactions, plan === 'annual' ? 1 : 0)
  rowsOf('token_drips', drips, plan === '28day' ? 1 : 0)
  return complaints
}

function differences(
  what: string,
  wanted: Readonly<Record<string, unknown>>,
  found: Readonly<Record<string, unknown>>,
): string[] {
  const isTime = (name: string) => /_(at|start|end)$/.test(name) && !name.startsWith('cancel_at_')
  return Object.entries(wanted).flatMap(([name, value]) => {
    if (found[name] === value) return []
    const shown = [value, found[name]].map((one) => {
      if (one === null || one === undefined) return 'nothing'
      return isTime(name) ? new Date(Number(one) * 1_000).toISOString() : String(one)
    })
    return [`${what}: ${name} should be ${shown[0]}, but is ${shown[1]}`]
  })
}
