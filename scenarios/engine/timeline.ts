import type { Changes, LedgerRow, Snapshot } from './ledger.ts'
import { count, type Step, say } from './story.ts'

/** In the place of a status: there was no answer. */
export const UNANSWERED = 0

/** Stripe takes any 2xx for an answer. */
export const isTaken = ({ status }: { readonly status: number }): boolean => status >= 200 && status < 300

/** One HTTP request to the app under test, and what it left in the database. */
export interface Sent {
  /** The event's type, or the route of a request. */
  readonly what: string
  /** The event's id, or the request's. */
  readonly id: string
  readonly status: number
  readonly body: string
  readonly ms: number
  /** What the app has asked of Postgres, where that passes the engine's proxy; of those that overlap, so far. */
  readonly statements: readonly string[]
  /** Warnings and errors that the app has meanwhile written to its console. */
  readonly logged: readonly string[]
  readonly changes: Changes
}

export interface PlayedStep {
  readonly step: Step
  readonly sent: readonly Sent[]
  /** After the step. */
  readonly snapshot: Snapshot
}

/** What the story calls a user; of a stranger, the id. */
export type NameOf = (userId: string) => string

export function naming(names: ReadonlyMap<string, string>): NameOf {
  return (userId) => names.get(userId) ?? `user ${userId}`
}

const SHOWN_OF_AN_ANSWER = 160

/**
 * The timeline of played steps, as text: a line a request, and below it what the request wrote. `names`: the people of
 * the story by user id; balances are told of these.
 */
export function renderTimeline(played: readonly PlayedStep[], names: ReadonlyMap<string, string>): string {
  const nameOf = naming(names)
  return played
    .map(({ step, sent, snapshot }, index) => {
      const lines = sent.flatMap((one) => [
        renderSent(one),
        ...one.statements.map((line) => `       | ${line}`),
        ...one.logged.map((line) => `       > ${oneLine(line)}`),
        ...renderChanges(one.changes, nameOf),
      ])
      return [`  ${index + 1}. ${say(step.act)}`, ...lines, `     ${balances(snapshot, names)}`].join('\n')
    })
    .join('\n')
}

function renderSent({ what, id, status, body, ms }: Sent): string {
  const told = status >= 200 && status < 300 ? '' : `  ${oneLine(body)}`
  const code = status === UNANSWERED ? ' – ' : status
  return `     ${what.padEnd(44)} ${id.padEnd(30)} ${code} ${String(Math.round(ms)).padStart(5)} ms${told}`
}

function renderChanges({ added, altered, balances }: Changes, nameOf: NameOf): string[] {
  return [
    ...added.map((row) => `       + ${renderRow(row, nameOf)}`),
    ...altered.map((row) => `       ! changed or gone: ${renderRow(row, nameOf)}`),
    ...balances.map(({ userId, profile, before, balance }) => {
      const whose = profile === 'active' ? 'balance' : `balance of the ${profile} profile`
      return `       = ${nameOf(userId)}: ${whose} ${before === null ? 'none' : count(before)} → ${count(balance)}`
    }),
  ]
}

export function renderRow({ table, type, tokens, delta, key, userId }: LedgerRow, nameOf: NameOf): string {
  const moved = delta === null || delta === tokens || delta === -tokens ? '' : `, moved ${count(delta)}`
  return `${table}: ${type} ${count(tokens)} of ${nameOf(userId)}${moved}${key === null ? '' : ` (${key})`}`
}

function balances({ profiles }: Snapshot, names: ReadonlyMap<string, string>): string {
  return profiles
    .filter(({ profile, userId }) => profile === 'active' && names.has(userId))
    .map(({ userId, balance }) => `${names.get(userId)} has ${count(balance)}`)
    .join(', ')
}

/** An answer's body, short enough for a line. */
export function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ')
  return line.length > SHOWN_OF_AN_ANSWER ? `${line.slice(0, SHOWN_OF_AN_ANSWER)}…` : line
}
