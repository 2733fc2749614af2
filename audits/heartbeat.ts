import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError } from './errors.ts'
import { networkErrorCode } from './network-error.ts'

/**
 * The dead man's switch: a check outside the machine that runs the audit, which raises the alarm when no ping comes.
 * The protocol is healthchecks.io's: https://healthchecks.io/docs/http_api/.
 */

interface PingOptions {
  readonly wait?: (ms: number) => Promise<unknown>
  readonly requestMs?: number
}

/** One request, as https://healthchecks.io/docs/reliability_tips recommends: a time limit, and few tries. */
const REQUEST_MS = 5_000
const PAUSES = [1_000, 3_000] as const

/** Tells which start belongs to which end, when two runs overlap. One process is one run. */
const RUN_ID = randomUUID()

/**
 * The ping URL of a check; undefined when none is given.
 *
 * @throws UsageError when it is none. The text is not repeated in it: whoever knows the URL can silence the switch.
 */
export function parseHeartbeatUrl(value: string | undefined): string | undefined {
  if (!value) return undefined
  const url = URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !['https:', 'http:'].includes(url.protocol) || url.username || url.password) {
    throw new UsageError('HEARTBEAT_URL is no URL; it looks like https://hc-ping.com/…')
  }
  if (/\/(start|fail|log|\d{1,3})\/*$/.test(url.pathname)) {
    throw new UsageError(
      "HEARTBEAT_URL must be a check's own ping URL, without /start, /fail, /log or a number",
    )
  }
  return value
}

/**
 * A run has begun: if no end follows within the check's grace time, it raises the alarm.
 *
 * @returns why the ping did not arrive, in one line; it changes no verdict
 */
export function startBeat(url: string, options: PingOptions = {}): Promise<string | undefined> {
  return ping(url, 'start', options)
}

/**
 * A run has ended: 0 is success, everything else makes the check raise the alarm at once.
 *
 * @param exit the exit code, 0 to 255
 * @returns why the ping did not arrive, in one line; it changes no verdict
 */
export function endBeat(url: string, exit: number, options: PingOptions = {}): Promise<string | undefined> {
  return ping(url, exit === 0 ? '' : String(exit), options)
}

async function ping(
  url: string,
  signal: string,
  { wait = sleep, requestMs = REQUEST_MS }: PingOptions,
): Promise<string | undefined> {
  const at = endpoint(url, signal)
  for (const pause of [...PAUSES, undefined]) {
    const { problem, passing } = await request(at, requestMs)
    if (problem === undefined) return undefined
    if (!passing || pause === undefined) return `HEARTBEAT_URL was not pinged (${words(signal)}): ${problem}`
    await wait(pause)
  }
}

function words(signal: string): string {
  return { start: 'start', '': 'success' }[signal] ?? `exit ${signal}`
}

/** A check may be named by a path with a slash at its end, and by a query such as `?create=1`. */
function endpoint(url: string, signal: string): URL {
  const at = new URL(url)
  at.pathname = [at.pathname.replace(/\/+$/, ''), ...(signal === '' ? [] : [signal])].join('/')
  at.searchParams.set('rid', RUN_ID)
  at.hash = ''
  return at
}

interface Answer {
  readonly problem?: string
  /** It may be otherwise in a moment. */
  readonly passing?: boolean
}

async function request(at: URL, ms: number): Promise<Answer> {
  try {
    const response = await fetch(at, { method: 'POST', redirect: 'manual', signal: AbortSignal.timeout(ms) })
    const { status } = response
    const body = (await response.text()).trim()
    if (status >= 300) {
      return {
        problem: `it answered ${status}${HINTS[status] ?? ''}`,
        passing: status >= 500 || status === 429,
      }
    }
    // A check that does not exist, and a ping that is ignored, are answered with 200 too.
    if (/^(OK|Created)$/i.test(body)) return {}
    return { problem: ANSWERS[body] ?? `it answered ${status}, and not "OK"` }
  } catch (error) {
    const timedOut = error instanceof Error && error.name === 'TimeoutError'
    return { problem: timedOut ? `no answer within ${ms / 1_000} s` : networkErrorCode(error), passing: true }
  }
}

const ANSWERS: Readonly<Record<string, string>> = {
  'OK (not found)': 'there is no such check',
  'OK (rate limited)': 'too many pings within a minute, this one was ignored',
}

const HINTS: Readonly<Record<number, string>> = {
  404: ': there is no such check',
  409: ': several checks have this name',
}
