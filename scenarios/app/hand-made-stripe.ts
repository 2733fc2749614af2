import { randomUUID } from 'node:crypto'
import Stripe from 'stripe'
import { type HttpServer, serveHttp } from '../../fixtures/http-server.ts'

// Stripe as small as the edges of the app need it: the objects that a test writes down itself, wrong ones included.
// What Stripe really sends is the simulator's subject.

export type StripeObject = { readonly id: string; readonly object: string } & Readonly<
  Record<string, unknown>
>

export const SECRET = 'whsec_of_the_endpoint'
const NOW = 1_790_000_000
const DAY = 86_400

let count = 0
/** A new id of this kind. */
export const newId = (prefix: string): string => `${prefix}_${++count}`

/** Answers GET by id for the objects that it was given, in their newest state; 404 for others. */
export class HandMadeApi {
  readonly #objects = new Map<string, StripeObject>()
  readonly #server: HttpServer
  /** Runs before an answer is sent: what happens elsewhere while the app asks. */
  beforeAnswer: (id: string) => Promise<void> = async () => {}

  static async start(): Promise<HandMadeApi> {
    const answer = (request: Request): Promise<Response> => api.#answer(new URL(request.url))
    const api: HandMadeApi = new HandMadeApi(await serveHttp('Stripe’s API', answer))
    return api
  }

  private constructor(server: HttpServer) {
    this.#server = server
  }

  get url(): string {
    return this.#server.url
  }

  close(): Promise<void> {
    return this.#server.close()
  }

  /** Makes this the object's newest state and returns it. */
  give<T extends StripeObject>(object: T): T {
    this.#objects.set(object.id, object)
    return object
  }

  async #answer(url: URL): Promise<Response> {
    const [id, list] = url.pathname.replace(/^\/v1\/(checkout\/)?\w+\//, '').split('/')
    const object = this.#objects.get(id ?? '')
    if (object === undefined) {
      const error = {
        type: 'invalid_request_error',
        code: 'resource_missing',
        message: `No such object: '${id}'`,
      }
      return Response.json({ error }, { status: 404 })
    }
    // Taken before the pause, as it was when the app asked.
    const answer =
      list === undefined ? object : { object: 'list', data: object[`all_${list}`], has_more: false }
    await this.beforeAnswer(object.id)
    return Response.json(answer)
  }
}

/** The session of a paid pack, as Stripe's API and `checkout.session.completed` show it. */
export function packSession(userId: string, fields: Record<string, unknown> = {}): StripeObject {
  const { pack = 'mega', quantity = 1, price = `price_pack_${pack}`, metadata = {}, ...rest } = fields
  return {
    id: newId('cs_live'),
    object: 'checkout.session',
    mode: 'payment',
    status: 'complete',
    payment_status: 'paid',
    payment_intent: newId('pi'),
    subscription: null,
    customer: 'cus_1',
    amount_total: 19_900,
    currency: 'usd',
    metadata: {
      purchase_type: 'token_pack',
      user_id: userId,
      pack_id: pack,
      tokens_amount: '5000000',
      ...(metadata as object),
    },
    line_items: { object: 'list', data: [sessionLine(price as string, quantity as number)], has_more: false },
    ...rest,
  }
}

/** One line of a checkout session. */
export const sessionLine = (
  price: string,
  quantity = 1,
  type: 'one_time' | 'recurring' = 'one_time',
): Record<string, unknown> => ({ id: newId('li'), quantity, price: { id: price, type } })

type Plan = 'annual' | '28day'

/** A running subscription in the shape that Stripe's API has since basil. */
export function subscriptionOf(
  userId: string,
  plan: Plan,
  fields: Record<string, unknown> = {},
): StripeObject {
  const { price = `price_vision_pro_${plan}`, ...rest } = fields
  return {
    id: newId('sub'),
    object: 'subscription',
    customer: 'cus_1',
    status: 'active',
    metadata: { user_id: userId, tier_type: `vision_pro_${plan}` },
    created: NOW,
    start_date: NOW,
    cancel_at_period_end: false,
    canceled_at: null,
    trial_start: null,
    trial_end: null,
    items: {
      data: [{ price: { id: price }, current_period_start: NOW, current_period_end: NOW + 28 * DAY }],
    },
    ...rest,
  }
}

export const TRIAL = { status: 'trialing', trial_start: NOW, trial_end: NOW + 56 * DAY }

export const trialOf = (userId: string, plan: Plan): StripeObject => subscriptionOf(userId, plan, TRIAL)

/** The paid invoice of a subscription's period, since basil. */
export function invoiceOf(subscription: StripeObject, fields: Record<string, unknown> = {}): StripeObject {
  const [item] = (subscription.items as { data: { price: { id: string } }[] }).data
  const { amount = 9_900, price = item?.price.id, ...rest } = fields
  return {
    id: newId('in'),
    object: 'invoice',
    status: 'paid',
    billing_reason: 'subscription_cycle',
    parent: {
      type: 'subscription_details',
      subscription_details: { subscription: subscription.id, metadata: subscription.metadata },
    },
    payments: {
      data: [{ status: 'paid', payment: { type: 'payment_intent', payment_intent: newId('pi') } }],
    },
    lines: {
      object: 'list',
      data: [line(price as string, amount as number)],
      has_more: false,
    },
    ...rest,
  }
}

/** One line of an invoice, since basil: a subscription's, or a one-off item. */
export function line(
  price: string,
  amount: number,
  proration = false,
  details = 'subscription_item_details',
): Record<string, unknown> {
  return {
    amount,
    pricing: { type: 'price_details', price_details: { price } },
    parent: { type: details, [details]: { proration } },
  }
}

/** The session of a subscription that was bought in Checkout. */
export function subscriptionSession(userId: string, subscription: StripeObject): StripeObject {
  const { data } = subscription.items as { data: { price: { id: string } }[] }
  return packSession(userId, {
    mode: 'subscription',
    subscription: subscription.id,
    payment_intent: null,
    metadata: { purchase_type: 'subscription', ...(subscription.metadata as object) },
    line_items: {
      object: 'list',
      data: data.map(({ price }) => sessionLine(price.id, 1, 'recurring')),
      has_more: false,
    },
  })
}

export interface StripeEvent {
  readonly type: string
  readonly livemode: boolean
  readonly [key: string]: unknown
}

/** An event that tells of an object as it is in `object`, which may be older than what the API knows. */
export function eventOf(
  type: string,
  object: StripeObject,
  fields: Record<string, unknown> = {},
): StripeEvent {
  return {
    id: `evt_${randomUUID()}`,
    object: 'event',
    api_version: '2025-09-30.clover',
    created: NOW,
    livemode: true,
    pending_webhooks: 1,
    request: { id: null, idempotency_key: null },
    type,
    data: { object },
    ...fields,
  }
}

export interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

const signer = new Stripe('sk_test_signs_only')

/** The header that Stripe would send with this body. `age` in seconds. */
export function sign(body: string, secret = SECRET, age = 0): string {
  const timestamp = Math.floor(Date.now() / 1000) - age
  return signer.webhooks.generateTestHeaderString({ payload: body, secret, timestamp })
}

/** Posts a signed event to the app's webhook, as Stripe does. */
export function deliver(app: { url: string }, event: StripeEvent): Promise<Answer> {
  const body = JSON.stringify(event)
  return post(`${app.url}/api/stripe/webhook`, body, { 'stripe-signature': sign(body) })
}

export async function post(
  url: string,
  body: string | object,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as Answer['body'] }
}
