import type { Invariant } from './catalogue.ts'
import { Connection } from './connection.ts'
import { failureOf, RETRIES, SessionError, sqlstateOf } from './failure.ts'
import { STAGE_FACTS_SQL, STAGE_RECORDED_SQL, type StageReading, stageOf } from './stage.ts'
import type { Target } from './targets.ts'
import { type Limits, type RuleSettings, readOnly } from './transaction.ts'
import { InFileError, type Judgement, judge } from './violations.ts'

/** What a session needs from outside: time limits, and a way to wait that a test can replace. */
export interface Surroundings {
  readonly limits: Limits
  /** Waits before something is tried again. */
  wait(ms: number): Promise<void>
}

/** What is known about a target before a rule runs. */
export interface Look {
  /** e.g. PostgreSQL 17.6 */
  readonly server: string
  readonly standby: boolean
  /** The moment that the target shows: of the last replayed transaction on a standby, else of the server's clock. */
  readonly asOf: string
  readonly stage: StageReading
}

/** `attempts` counts from 1; `lost`: there is no connection any more, other rules need not try. */
export type Outcome<T> = { readonly attempts: number } & (
  | { readonly value: T }
  | { readonly failure: string; readonly lost: boolean }
)

/** The audit of one target: one connection, one short read-only transaction an invariant. */
export class Session {
  readonly #target: Target
  readonly #run: string
  readonly #surroundings: Surroundings
  #connection: Connection | undefined

  /** @param run the name of the run in application_name, which pg_stat_activity and the server's log show */
  constructor(target: Target, run: string, surroundings: Surroundings) {
    this.#target = target
    this.#run = run
    this.#surroundings = surroundings
  }

  /** Reads what the target is. */
  async look(): Promise<Outcome<Look>> {
    return this.#attempt('look', {}, [], async (connection) => {
      const { rows } = await connection.query(LOOK_SQL)
      const [server = null, standby = null, asOf = null] = rows[0] ?? []
      if (asOf === null) {
        throw new SessionError(
          'this standby has not replayed a transaction since it was started: the moment that it shows is unknown',
        )
      }
      return {
        server: `PostgreSQL ${server}`,
        standby: standby === 't',
        asOf,
        stage: await readStage(connection),
      }
    })
  }

  /**
   * Runs one rule: population, shape, rows, all in one snapshot.
   *
   * @param asOf the target's, from `look`
   * @param settleMs what lies between `asOf` and the horizon
   * @param evidence entitlements as JSON, '' when there are none
   */
  async judge(
    invariant: Invariant,
    given: { asOf: string; settleMs: number; evidence: string },
  ): Promise<Outcome<Judgement>> {
    const settings = {
      ...momentsOf(given.asOf, given.settleMs),
      'audit.evidence': invariant.needsEvidence ? given.evidence : '',
    }
    return this.#attempt(invariant.id, settings, invariant.functions, async (connection) => {
      return judge(connection, invariant)
    })
  }

  async close(): Promise<void> {
    const connection = this.#connection
    this.#connection = undefined
    await connection?.close()
  }

  /** One transaction; after a failure the connection is given up, so that nothing of it is left behind. */
  async #attempt<T>(
    what: string,
    settings: RuleSettings,
    volatile: readonly string[],
    work: (connection: Connection) => Promise<T>,
  ): Promise<Outcome<T>> {
    const { limits, wait } = this.#surroundings
    const applicationName = `token-audit/${this.#run}/${what}`
    for (let attempts = 1; ; attempts++) {
      try {
        this.#connection ??= await Connection.open(
          this.#target.url,
          limits.connectMs,
          limits.statementMs + limits.graceMs,
        )
        const connection = this.#connection
        const value = await readOnly(connection, { limits, applicationName, settings, volatile }, () =>
          work(connection),
        )
        return { attempts, value }
      } catch (error) {
        const { kind, text } = failureOf(error instanceof InFileError ? error.cause : error, this.#target.url)
        await this.close()
        const delay = RETRIES[kind][attempts - 1]
        if (delay === undefined) {
          const place = error instanceof InFileError && kind === 'broken' ? `${error.place}: ` : ''
          return { attempts, failure: `${place}${text}`, lost: kind === 'lost' }
        }
        await wait(delay)
      }
    }
  }
}

const LOOK_SQL = `
select
  pg_catalog.current_setting('server_version'),
  pg_catalog.pg_is_in_recovery(),
  pg_catalog.to_char(
    case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_xact_replay_timestamp() else pg_catalog.now() end
      at time zone 'UTC',
    'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`

async function readStage(connection: Connection): Promise<StageReading> {
  const { rows } = await connection.query(STAGE_FACTS_SQL)
  const [recorded, usage, legacy, ledger, grantKey] = (rows[0] ?? []).map((value) => value === 't')
  let stages: string[] | null = null
  if (recorded) {
    try {
      stages = (await connection.query(STAGE_RECORDED_SQL)).rows.map(([stage]) => stage ?? '')
    } catch (error) {
      if (sqlstateOf(error)?.startsWith('42')) {
        return { unclear: `public.token_ledger_stage can't be read: ${failureOf(error).text}` }
      }
      throw error
    }
  }
  return stageOf({
    recorded: stages,
    usage: usage === true,
    legacy: legacy === true,
    ledger: ledger === true,
    grantKey: grantKey === true,
  })
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
