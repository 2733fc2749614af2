import { withoutSecrets } from './targets.ts'

/** Why a statement, or a connection, failed, and whether to try again. */
export interface Failure {
  /** conflict: a standby cancelled it; lost: there is no connection (any more); broken: trying again is in vain. */
  readonly kind: 'conflict' | 'lost' | 'broken'
  /** One line, without password and without values of rows. */
  readonly text: string
}

/** The client gave up: the server did not answer in time. */
export class DeadlineError extends Error {
  constructor(ms: number) {
    super(`no answer within ${ms / 1000} s; the connection was cut`)
    this.name = 'DeadlineError'
  }
}

/** A setting of the session is not what was asked for, or a rule's shape is wrong. */
export class SessionError extends Error {
  override readonly name = 'SessionError'
}

/** How often something is tried again, and how long is waited before each time, in ms. Time-outs never are. */
export const RETRIES: Readonly<Record<Failure['kind'], readonly number[]>> = {
  conflict: [5_000, 20_000, 60_000],
  lost: [5_000],
  broken: [],
}

const NETWORK = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]

const HINTS: readonly [RegExp, string][] = [
  [
    /^40001$/,
    'the standby had to apply changes that the query still needed; see hot_standby_feedback and max_standby_streaming_delay',
  ],
  [/^57014$/, 'it took longer than the audit allows a statement; it is not tried again'],
  [/^55P03$/, 'a table is locked by somebody else; it is not tried again'],
  [/^25006$/, 'it tried to write, and the transaction is read-only'],
  [/^42P01$|^3F000$/, 'is this the database of the app, and at the stage that it says?'],
  [/^42501$/, 'npm run audit -- --print-role prints all that the role needs'],
  [/^28P01$|^28000$/, 'check user, password and pg_hba.conf'],
  [/^3D000$/, 'check the database in the URL'],
  [/^53300$/, 'the server, or the role, has no connection left'],
]

/** What the driver says when a server does not finish its greeting in time. */
const NOT_READY = 'timeout expired'

const UNREACHED = 'check host and port in the URL, and whether this machine may reach them'

/** Reads what a driver threw. Rules never see a retry decided on a text: only on SQLSTATE and on Node's error codes. */
export function failureOf(error: unknown, url?: string): Failure {
  const sqlstate = sqlstateOf(error)
  const message = firstLine(messageOf(error))
  const told = sqlstate === null ? message : withoutValues(message, sqlstate)
  const clean = url === undefined ? told : withoutSecrets(told, url)
  const hint = NETWORK.includes(codeOf(error)) || message === NOT_READY ? UNREACHED : hintOf(sqlstate, clean)
  return {
    kind: kindOf(error),
    text: `${clean}${sqlstate === null ? '' : ` (${sqlstate})`}${hint === undefined ? '' : `: ${hint}`}`,
  }
}

/** The SQLSTATE of an error that the server sent. */
export function sqlstateOf(error: unknown): string | null {
  const code = codeOf(error)
  return /^[0-9A-Z]{5}$/.test(code) && !NETWORK.includes(code) ? code : null
}

/** Where in the statement's text the server points at, from 0. */
export function positionOf(error: unknown): number | null {
  const position = (error as { position?: unknown } | null)?.position
  return typeof position === 'string' ? Number(position) - 1 : null
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}

function kindOf(error: unknown): Failure['kind'] {
  const code = codeOf(error)
  if (error instanceof DeadlineError || error instanceof SessionError) {
    return 'broken'
  }
  if (code === '40001') {
    return 'conflict'
  }
  if (/^08...$|^57P0.$|^53300$/.test(code) || NETWORK.includes(code)) {
    return 'lost'
  }
  // The driver has no code for a socket that closed, nor for a server that does not finish its greeting.
  const message = messageOf(error)
  return code === '' && (message === NOT_READY || message.startsWith('Connection terminated'))
    ? 'lost'
    : 'broken'
}

function hintOf(sqlstate: string | null, message: string): string | undefined {
  if (sqlstate === '42501') {
    return message.includes('row-level security')
      ? 'row-level security would hide rows from this role; a rule that sees a part judges nothing: alter role … bypassrls'
      : 'the role may not read this; grant select to it'
  }
  return HINTS.find(([pattern]) => pattern.test(sqlstate ?? ''))?.[1]
}

/** Errors about data (class 22) quote the value that did not fit, which may be anybody's e-mail address. */
function withoutValues(message: string, sqlstate: string): string {
  return sqlstate.startsWith('22') ? message.replace(/".*/, '"…"') : message
}

/** Several addresses of one host fail as one error without a message of its own. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(messageOf).join('; ')
  }
  return error instanceof Error ? error.message : String(error)
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
