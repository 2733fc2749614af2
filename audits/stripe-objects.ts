import { z } from 'zod'

/**
 * Stripe's objects as its API returns them, reduced to what is needed to tell what is owed. Before basil
 * (2025-03-31) an invoice named its subscription and a line its price directly; since then both stand under `parent`
 * and `pricing`. A shape that is neither is an error: reading one as "a or else b" hides what a third version lacks.
 */

/** An id, or the object itself where it was expanded. */
const expandable = z.union([
  z.string().min(1),
  z.looseObject({ id: z.string().min(1) }).transform(({ id }) => id),
])
const link = expandable.nullish().transform((id) => id ?? null)
const seconds = z.int().min(0)
const metadata = z
  .record(z.string(), z.string())
  .nullish()
  .transform((values): Readonly<Record<string, string>> => values ?? {})

function list<T extends z.ZodType>(item: T) {
  return z.looseObject({
    data: z.array(item),
    has_more: z.literal(false, 'the list has more: fetch all of it').optional(),
  })
}

export const checkoutSession = z.looseObject({
  id: z.string().min(1),
  object: z.literal('checkout.session').optional(),
  mode: z.enum(['payment', 'setup', 'subscription']),
  payment_status: z.enum(['no_payment_required', 'paid', 'unpaid']),
  status: z.enum(['complete', 'expired', 'open']).nullish(),
  livemode: z.boolean(),
  created: seconds,
  metadata,
  payment_intent: link,
  subscription: link,
  line_items: list(
    z.looseObject({ quantity: z.int().min(0).nullable(), price: expandable.nullish() }),
  ).optional(),
})
export type CheckoutSession = z.output<typeof checkoutSession>

export const subscription = z.looseObject({
  id: z.string().min(1),
  object: z.literal('subscription').optional(),
  status: z.string(),
  livemode: z.boolean(),
  created: seconds,
  start_date: seconds.optional(),
  trial_start: seconds.nullish().transform((value) => value ?? null),
  metadata,
  items: list(z.looseObject({ price: expandable })),
})
export type Subscription = z.output<typeof subscription>

export const charge = z.looseObject({
  id: z.string().min(1),
  object: z.literal('charge').optional(),
  amount_refunded: z.int().min(0),
  payment_intent: link,
})
export type Charge = z.output<typeof charge>

/** A line of an invoice, whatever its version. `amount` in cents, before discounts. */
export interface InvoiceLine {
  readonly price: string | null
  readonly amount: number
  readonly proration: boolean
}

const proration = z.looseObject({ proration: z.boolean() }).nullish()

const basilLine = z
  .looseObject({
    amount: z.int(),
    pricing: z.looseObject({ price_details: z.looseObject({ price: link }).nullish() }).nullable(),
    parent: z
      .looseObject({ subscription_item_details: proration, invoice_item_details: proration })
      .nullable(),
  })
  .transform(
    ({ amount, pricing, parent }): InvoiceLine => ({
      price: pricing?.price_details?.price ?? null,
      amount,
      proration:
        (parent?.subscription_item_details?.proration || parent?.invoice_item_details?.proration) === true,
    }),
  )

const acaciaLine = z
  .looseObject({ amount: z.int(), price: expandable.nullable(), proration: z.boolean() })
  .transform(({ amount, price, proration }): InvoiceLine => ({ price, amount, proration }))

const head = {
  id: z.string().min(1),
  object: z.literal('invoice').optional(),
  status: z.string().nullable(),
  billing_reason: z.string().nullable(),
  livemode: z.boolean(),
  created: seconds,
  metadata,
  status_transitions: z.looseObject({ paid_at: seconds.nullish() }).optional(),
}

/** An invoice, whatever its version. */
export interface Invoice {
  readonly id: string
  readonly status: string | null
  readonly billing_reason: string | null
  readonly livemode: boolean
  /** When it was paid, or else made; Unix seconds. */
  readonly settled: number
  readonly metadata: Readonly<Record<string, string>>
  readonly subscription: string | null
  /** The subscription's metadata as they were when the invoice was made. */
  readonly subscriptionMetadata: Readonly<Record<string, string>>
  /** Those that paid it; empty where they were not expanded. */
  readonly paymentIntents: readonly string[]
  readonly lines: readonly InvoiceLine[]
}

const basilInvoice = z
  .looseObject({
    ...head,
    parent: z
      .looseObject({
        subscription_details: z.looseObject({ subscription: link, metadata }).nullish(),
      })
      .nullable(),
    payments: list(
      z.looseObject({ status: z.string(), payment: z.looseObject({ payment_intent: link }) }),
    ).nullish(),
    lines: list(basilLine),
  })
  .transform(
    (raw): Invoice => ({
      ...common(raw),
      subscription: raw.parent?.subscription_details?.subscription ?? null,
      subscriptionMetadata: raw.parent?.subscription_details?.metadata ?? {},
      paymentIntents: (raw.payments?.data ?? [])
        .filter(({ status }) => status === 'paid')
        .flatMap(({ payment }) => payment.payment_intent ?? []),
      lines: raw.lines.data,
    }),
  )

const acaciaInvoice = z
  .looseObject({
    ...head,
    subscription: expandable.nullable(),
    subscription_details: z.looseObject({ metadata }).nullish(),
    payment_intent: link,
    lines: list(acaciaLine),
  })
  .transform(
    (raw): Invoice => ({
      ...common(raw),
      subscription: raw.subscription,
      subscriptionMetadata: raw.subscription_details?.metadata ?? {},
      paymentIntents: raw.payment_intent === null ? [] : [raw.payment_intent],
      lines: raw.lines.data,
    }),
  )

export const invoice = z.looseObject({}).transform((raw, context): Invoice => {
  const shape = 'parent' in raw ? basilInvoice : 'subscription' in raw ? acaciaInvoice : undefined
  if (shape === undefined) {
    const text = 'neither "parent" nor "subscription" is there: an API version that this audit does not know'
    context.addIssue({ code: 'custom', message: text })
    return z.NEVER
  }
  const read = shape.safeParse(raw)
  if (!read.success) {
    for (const { message, path } of read.error.issues) {
      context.addIssue({ code: 'custom', message, path })
    }
    return z.NEVER
  }
  return read.data
})

function common(raw: z.output<z.ZodObject<typeof head>>) {
  return {
    id: raw.id,
    status: raw.status,
    billing_reason: raw.billing_reason,
    livemode: raw.livemode,
    settled: raw.status_transitions?.paid_at ?? raw.created,
    metadata: raw.metadata,
  }
}
