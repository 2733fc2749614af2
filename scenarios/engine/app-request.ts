import { type Answer, send } from '../../fixtures/http-client.ts'
import type { Cast } from './cast.ts'
import type { AdminAct, UseAct } from './story.ts'

/** What a person asks of the app. */
export interface AppRequest {
  readonly route: string
  readonly id: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Readonly<Record<string, unknown>>
}

/** What a request that uses AI is called, in plans too: nobody repeats it. */
export const AI_USE = 'POST /api/ai/use'

export function adjustment(cast: Cast, act: AdminAct): AppRequest {
  const id = cast.requestId(act)
  const { reason } = act
  const stripePaymentIntent = cast.paymentSettledBy(act)
  return {
    route: '/api/admin/users/adjust-tokens',
    id,
    headers: { 'idempotency-key': id },
    body: { userId: cast.person(act.who).userId, delta: Number(act.delta), reason, stripePaymentIntent },
  }
}

export function use(cast: Cast, { who, action, tokens, success }: UseAct): AppRequest {
  return {
    route: '/api/ai/use',
    id: action,
    headers: {},
    body: {
      userId: cast.person(who).userId,
      actionType: action,
      model: 'gpt-5',
      tokens: Number(tokens),
      success,
    },
  }
}

/** Throws NoAnswer. */
export function ask(
  appUrl: string,
  { route, headers, body }: AppRequest,
  patienceMs?: number,
): Promise<Answer> {
  return send(
    `${appUrl}${route}`,
    JSON.stringify(body),
    { 'content-type': 'application/json', ...headers },
    patienceMs,
  )
}
