import type { Invariant } from './catalogue.ts'
import { Connection } from './connection.ts'
import { DeadlineError, failureOf, RETRIES, SessionError } from './failure.ts'
import { type Look, readLook } from './look.ts'
import { spreadsTransactions } from './pooler.ts'
import { type Screened, screen } from './screen.ts'
import type { Target } from './targets.ts'
import { type Limits, POOLED, type RuleSettings, readOnly } from './transaction.ts'
import { InFileError, type Judgement, judge } from './violations.ts'

/** What a session needs from outside, so that a test can replace it. */
export interface Surroundings {
  readonly limits: Limits
  /** This machine's clock, in ms. */
  now(): number
  /** From 0 to 1: spreads retries of several audits. */
  random(): number
  /** Waits before something is tried again; ends with the signal's reason when that is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>
}

/** When an audit has to end. */
export interface End {
  /** Aborted: all connections are cut, whatever is under way ends with the signal's reason. */
  readonly signal: AbortSignal
  /** From then on nothing is begun or tried again, by the surroundings' clock. */
  readonly deadline: number
}

/** `attempts` counts from 1; `lost`: there is no connection any more, other rules need not try. */
export type Outcome<T> = { readonly attempts: number } & (
  | { readonly value: T }
  | { readonly failure: string; readonly lost: boolean }
)

/** The audit of one target: one connection, one short read-only transaction an invariant. */
export class Session {
  readonly target: Target
  readonly #run: string
  readonly #surroundings: Surroundings
  readonly #limits: Limits
  readonly #end: End
  #connection: Connection | undefined

  /** @param run the name of the run in application_name, which pg_stat_activity and the server's log show */
  constructor(target: Target, run: string, surroundings: Surroundings, end: End) {
    this.target = target
    this.#run = run
    this.#surroundings = surroundings
    this.#limits = { ...surroundings.limits, ...(target.statementMs && { statementMs: target.statementMs }) }
    this.#end = end
  }

  /**
   * Reads what the target is, with the help of a second connection for a moment.
   *
   * @param relations that the rules read
   */
  async look(relations: readonly string[]): Promise<Outcome<Look>> {
    const { now } = this.#surroundings
    const read = async (connection: Connection) => {
      const look = await this.#transaction(connection, 'look', {}, [], () =>
        readLook(connection, relations, now),
      )
      if (await this.#isPooled(connection)) throw new SessionError(POOLED)
      return look
    }
    return this.#retried(read)
  }

  async #isPooled(connection: Connection): Promise<boolean> {
    try {
      return await spreadsTransactions(connection, () => this.#open())
    } catch (error) {
      // A pooler with a single connection to the server lets the second one wait for the first.
      if (error instanceof DeadlineError)
        throw new SessionError(`two connections at once get no answer: ${POOLED}`)
      throw error
    }
  }

  /**
   * Runs one rule: population, shape, rows, all in one snapshot.
   *
   * @param asOf the target's, from `look`
   * @param settleMs what lies between `asOf` and the horizon
   * @param evidence entitlements as JSON, '' when there are none
   * @param counted the population, where a screen has counted it
   */
  async judge(
    invariant: Invariant,
    given: { asOf: string; settleMs: number; evidence: string; counted?: number | undefined },
  ): Promise<Outcome<Judgement>> {
    const settings = {
      ...momentsOf(given.asOf, given.settleMs),
      'audit.evidence': invariant.needsEvidence ? given.evidence : '',
    }
    return this.#retried((connection) =>
      this.#transaction(connection, invariant.id, settings, invariant.functions, () =>
        judge(connection, invariant, given.counted),
      ),
    )
  }

  /**
   * Runs the screens of rules: which of them can't find anything.
   *
   * @param asOf the target's, from `look`
   * @param seed of the keyed weights: a signed 64-bit integer
   */
  async screen(
    rules: readonly Invariant[],
    given: { asOf: string; seed: string },
  ): Promise<Outcome<ReadonlyMap<string, Screened>>> {
    const settings = { ...momentsOf(given.asOf, 0), 'audit.evidence': '' }
    const functions = [...new Set(rules.flatMap((rule) => rule.functions))]
    return this.#retried((connection) =>
      this.#transaction(connection, 'screen', settings, functions, () =>
        screen(connection, rules, given.seed),
      ),
    )
  }

  async close(): Promise<void> {
    const connection = this.#connection
    this.#connection = undefined
    await connection?.close()
  }

  #open(): Promise<Connection> {
    const { connectMs, statementMs, graceMs } = this.#limits
    return Connection.open(this.target.url, connectMs, statementMs + graceMs, this.#end.signal)
  }

  #transaction<T>(
    connection: Connection,
    what: string,
    settings: RuleSettings,
    volatile: readonly string[],
    work: () => Promise<T>,
  ): Promise<T> {
    const applicationName = `token-audit/${this.#run}/${what}`
    return readOnly(connection, { limits: this.#limits, applicationName, settings, volatile }, work)
  }

  /** Tries; after a failure the connection is given up, so that nothing of it is left behind. */
  async #retried<T>(work: (connection: Connection) => Promise<T>): Promise<Outcome<T>> {
    const { now, random, wait } = this.#surroundings
    const { signal, deadline } = this.#end
    for (let attempts = 1; ; attempts++) {
      try {
        signal.throwIfAborted()
        this.#connection ??= await this.#open()
        return { attempts, value: await work(this.#connection) }
      } catch (error) {
        await this.close()
        signal.throwIfAborted()
        const { kind, text } = failureOf(error instanceof InFileError ? error.cause : error, this.target.url)
        const delay = RETRIES[kind][attempts - 1]
        const about = delay === undefined ? 0 : delay * (0.8 + 0.4 * random())
        if (delay === undefined || now() + about > deadline) {
          const place = error instanceof InFileError && kind === 'broken' ? `${error.place}: ` : ''
          return { attempts, failure: `${place}${text}`, lost: kind === 'lost' }
        }
        await wait(about, signal)
      }
    }
  }
}

/**
 * The times that a rule knows: what the target shows, and before when everything has settled.
 *
 * @param settleMs whole seconds
 */
function momentsOf(asOf: string, settleMs: number): RuleSettings {
  const settled = new Date(Date.parse(`${asOf.slice(0, 19)}Z`) - settleMs).toISOString()
  return { 'audit.as_of': asOf, 'audit.horizon': `${settled.slice(0, 19)}${asOf.slice(19)}` }
}
