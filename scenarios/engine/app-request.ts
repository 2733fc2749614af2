import { type Answer, PATIENCE_MS } from '../../fixtures/stripe/sign.ts'
import type { Cast } from './cast.ts'
import type { AdminAct, UseAct } from './story.ts'

/** What a person asks of the app. */
export interface AppRequest {
  readonly route: string
  readonly id: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Readonly<Record<string, unknown>>
}

export function adjustment(cast: Cast, act: AdminAct): AppRequest {
  const id = cast.requestId(act)
  const { reason } = act
  return {
    route: '/api/admin/users/adjust-tokens',
    id,
    headers: { 'idempotency-key': id },
    body: { userId: cast.person(act.who).userId, delta: Number(act.delta), reason },
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

/** Throws when nothing answers at that URL, or not within 30 s. */
export async function ask(appUrl: string, { route, headers, body }: AppRequest): Promise<Answer> {
  const began = performance.now()
  const answer = await fetch(`${appUrl}${route}`, {
    method: 'POST',
    redirect: 'manual',
    signal: AbortSignal.timeout(PATIENCE_MS),
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return { status: answer.status, body: await answer.text(), ms: performance.now() - began }
}
