import { IncomingWebhook, IncomingWebhookHTTPError, IncomingWebhookRequestError } from '@slack/webhook'
import { UsageError } from '../errors.ts'
import { networkErrorCode } from '../network-error.ts'
import { wait as sleep } from '../wait.ts'
import type { SlackMessage } from './slack.ts'

/** How a delivery ended. */
export interface Delivered {
  /** Why it was not delivered, in one line; undefined when Slack took it. */
  readonly problem?: string
  /** Requests that were made. */
  readonly attempts: number
  /** The last request had the text without blocks, since Slack refused those. */
  readonly plain: boolean
}

interface DeliverOptions {
  /** The time that all requests and pauses may take together. */
  readonly budgetMs: number
  /** The time that one request may take; Slack answers in less than a second. */
  readonly requestMs?: number
  /** Aborted: nothing is tried again. */
  readonly signal?: AbortSignal
  readonly wait?: (ms: number, signal?: AbortSignal) => Promise<unknown>
  readonly now?: () => number
}

/** Pauses before trying again what may pass: an error of the server, a lost connection, a rate limit without a time. */
const PAUSES = [1_000, 4_000, 15_000] as const

/**
 * The URL of an incoming webhook; undefined when none is given.
 *
 * @throws UsageError when it is none. The text is not repeated in it: whoever knows the URL may post.
 */
export function parseWebhookUrl(value: string | undefined): string | undefined {
  if (!value) return undefined
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !['https:', 'http:'].includes(url.protocol) || url.username || url.password) {
    throw new UsageError('SLACK_WEBHOOK_URL is no URL; it looks like https://hooks.slack.com/services/…')
  }
  return value
}

/**
 * Posts to an incoming webhook. A message that is refused as invalid is sent once more as plain text; a rate limit is
 * waited for as long as Slack says; what may pass is tried again. Nothing is followed elsewhere: a message for one
 * channel is for nobody else. A connection lost on the way back may make a message appear twice, never get lost.
 */
export async function deliver(
  url: string,
  message: SlackMessage,
  plainMessage: string,
  { budgetMs, requestMs = 10_000, signal, wait = sleep, now = Date.now }: DeliverOptions,
): Promise<Delivered> {
  const until = now() + budgetMs
  let plain = false
  let pauses = 0
  for (let attempts = 1; ; attempts += 1) {
    const timeoutMs = Math.max(1, Math.min(requestMs, until - now()))
    const payload = plain ? { text: plainMessage } : { ...message }
    const answer = await post(url, payload, { timeout: timeoutMs, now, signal })
    if (answer.kind === 'taken') return { attempts, plain }
    if (answer.kind === 'invalid' && !plain) {
      plain = true
      continue
    }
    const pause = PAUSES[pauses]
    if (answer.kind !== 'passing' || pause === undefined) return { problem: answer.problem, attempts, plain }
    pauses += 1
    const waitMs = answer.retryAfterMs ?? pause
    if (now() + waitMs >= until) {
      return { problem: `${answer.problem}; there is no time left to try again`, attempts, plain }
    }
    await wait(waitMs, signal).catch(() => {})
    if (signal?.aborted)
      return { problem: `${answer.problem}; interrupted before it was tried again`, attempts, plain }
  }
}

type Answer =
  | { readonly kind: 'taken' }
  | { readonly kind: 'invalid' | 'final'; readonly problem: string }
  | { readonly kind: 'passing'; readonly problem: string; readonly retryAfterMs: number | undefined }

/** The library's own retries are off: they know neither Retry-After, nor a budget. */
async function post(
  url: string,
  payload: { readonly text: string },
  { timeout, now, signal }: { timeout: number; now: () => number; signal: AbortSignal | undefined },
): Promise<Answer> {
  let retryAfterMs: number | undefined
  const webhook = new IncomingWebhook(url, {
    timeout,
    // The library's error keeps no headers; and a redirect that is not followed still has a status to tell.
    fetch: async (input, init) => {
      const ends = [init?.signal, signal].filter((end) => end != null)
      const response = await fetch(input, { ...init, redirect: 'manual', signal: AbortSignal.any(ends) })
      retryAfterMs = msOf(response.headers.get('retry-after'), now())
      return response
    },
  })
  try {
    const { text } = await webhook.send(payload)
    // A gateway, or a page to log in, answers 200 to anything.
    if (text.trim() === 'ok') return { kind: 'taken' }
    return { kind: 'final', problem: 'Slack did not take the message: 200, and not "ok"' }
  } catch (error) {
    return error instanceof IncomingWebhookHTTPError
      ? refused(error, url, retryAfterMs)
      : lost(error, timeout)
  }
}

/** https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, "Handling errors". */
function refused(error: IncomingWebhookHTTPError, url: string, retryAfterMs: number | undefined): Answer {
  const { statusCode: status } = error
  const problem = `Slack refused the message: ${status}${wordOf(error.body, url)}`
  if (status >= 300 && status < 400) {
    return { kind: 'final', problem: `Slack can't be reached: ${status}, a redirect, is not followed` }
  }
  if (status === 429) return { kind: 'passing', problem, retryAfterMs }
  if (status >= 500) return { kind: 'passing', problem, retryAfterMs: undefined }
  return { kind: status === 400 || status === 413 ? 'invalid' : 'final', problem }
}

/** Slack's word for a refusal, such as no_service. Any other body may hold anything, the URL too. */
function wordOf(body: string, url: string): string {
  const word = body.trim()
  return /^[a-z][a-z_]{1,60}$/.test(word) && !url.includes(word) ? ` ${word}` : ''
}

function lost(error: unknown, timeout: number): Answer {
  const original = error instanceof IncomingWebhookRequestError ? error.original : error
  const timedOut = original instanceof Error && original.name === 'TimeoutError'
  const problem = timedOut
    ? `Slack did not answer within ${timeout / 1_000} s`
    : `Slack can't be reached: ${networkErrorCode(original)}`
  return { kind: 'passing', problem, retryAfterMs: undefined }
}

/** Seconds, or a date. */
function msOf(retryAfter: string | null, now: number): number | undefined {
  if (retryAfter === null) return undefined
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter) * 1_000
  const at = Date.parse(retryAfter)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}
