import type { Answer } from '../../fixtures/http-client.ts'
import type { Delivery } from '../../fixtures/stripe/event.ts'
import { deliver, post, signatureHeader } from '../../fixtures/stripe/sign.ts'
import { type AppRequest, ask } from './app-request.ts'
import type { AppUnderTest } from './app-under-test.ts'
import type { Cast } from './cast.ts'
import type { As, JobRef } from './plan.ts'
import type { ForgeryAct } from './story.ts'

/** Four minutes: Stripe's own libraries take a signature for five. */
const AGED_MS = 240_000

/** An hour: what was signed so long ago is nobody's delivery. */
const RECORDED_MS = 3_600_000

/** Who is told, and by whom. */
export interface Line {
  readonly app: AppUnderTest
  readonly cast: Cast
}

/** What is sent to the app: a delivery of Stripe, or a request of a person. */
export interface Job {
  readonly ref: JobRef
  readonly kind: 'delivery' | 'admin' | 'use' | 'forgery'
  readonly what: string
  readonly id: string
  /** Throws NoAnswer. */
  send(as: As): Promise<Answer>
}

export interface DeliveryJob extends Job {
  readonly delivery: Delivery
}

export function deliveryJob({ app, cast }: Line, delivery: Delivery, ref: JobRef): DeliveryJob {
  const { event } = delivery
  const url = `${app.url}/api/stripe/webhook`
  const secret = () => (cast.usesOldEndpoint ? app.oldWebhookSecret : undefined) ?? app.webhookSecret
  return {
    ref,
    kind: 'delivery',
    what: event.type,
    id: event.id,
    delivery,
    send(as) {
      if (as === 'aged') {
        const header = signatureHeader(delivery.body, secret(), new Date(Date.now() - AGED_MS))
        return post(url, delivery.body, header, app.patienceMs)
      }
      const sent = as === 'renamed' ? renamed(delivery) : delivery
      return deliver(url, sent, secret(), app.patienceMs)
    },
  }
}

/** Nobody sends it again: it is no delivery of Stripe's. */
export function forgeryJob({ app, cast }: Line, act: ForgeryAct, ref: JobRef): Job {
  const { event, body } = cast.forged(act)
  const signature = {
    unsigned: () => null,
    'wrongly-signed': () => signatureHeader(body, 'whsec_of_somebody'),
    recorded: () => signatureHeader(body, app.webhookSecret, new Date(Date.now() - RECORDED_MS)),
  }[act.how]
  return {
    ref,
    kind: 'forgery',
    what: 'POST /api/stripe/webhook',
    id: event.id,
    send: () => post(`${app.url}/api/stripe/webhook`, body, signature(), app.patienceMs),
  }
}

export function requestJob({ app }: Line, kind: 'admin' | 'use', request: AppRequest, ref: JobRef): Job {
  return {
    ref,
    kind,
    what: `POST ${request.route}`,
    id: request.id,
    send: () => ask(app.url, request, app.patienceMs),
  }
}

/** The same fact, told by another event. */
function renamed({ event, body }: Delivery): Delivery {
  const id = `${event.id}again`
  return { event: { ...event, id }, body: body.replace(JSON.stringify(event.id), JSON.stringify(id)) }
}
