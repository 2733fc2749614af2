import type { Answer } from '../../../fixtures/http-client.ts'
import type { Delivery } from '../../../fixtures/stripe/event.ts'
import { deliver } from '../../../fixtures/stripe/sign.ts'
import { type AppRequest, ask } from '../app-request.ts'
import { UNANSWERED } from '../timeline.ts'

/** What is sent to the app until it is taken. */
export interface Job {
  readonly what: string
  readonly id: string
  readonly kind: 'delivery' | 'admin' | 'use'
  /** Never throws: where nobody answers, that is the answer. */
  send(appUrl: string): Promise<Answer>
  attempts: number
  /** Attempts that were refused although nothing disturbed them. */
  refusedInPeace: number
  /** On Stripe's clock, in ms. */
  due: number
}

const UNSENT = { attempts: 0, refusedInPeace: 0, due: 0 }

export function deliveryJob(delivery: Delivery, webhookSecret: string): Job {
  const { id, type } = delivery.event
  return {
    ...UNSENT,
    kind: 'delivery',
    what: type,
    id,
    send: (url) => deliver(`${url}/api/stripe/webhook`, delivery, webhookSecret).catch(unanswered),
  }
}

export function requestJob(kind: 'admin' | 'use', request: AppRequest): Job {
  return {
    ...UNSENT,
    kind,
    what: `POST ${request.route}`,
    id: request.id,
    send: (url) => ask(url, request).catch(unanswered),
  }
}

export const isAnswered = ({ status }: Answer): boolean => status !== UNANSWERED

/** The line was cut, or the app's patience is longer than ours. */
export function unanswered(error: unknown): Answer {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return {
    status: UNANSWERED,
    body: cause instanceof Error ? cause.message : String(cause),
    location: null,
    ms: 0,
  }
}
