import { type Invariant, RULE_COLUMNS } from './catalogue.ts'
import { Connection } from './connection.ts'
import { failureOf, positionOf, RETRIES, SessionError, sqlstateOf } from './failure.ts'
import { STAGE_FACTS_SQL, STAGE_RECORDED_SQL, type StageReading, stageOf } from './stage.ts'
import type { Target } from './targets.ts'
import { type Limits, type RuleSettings, readOnly } from './transaction.ts'

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

/** A row of a rule: numbers are texts, as Postgres wrote them. */
export interface Violation {
  readonly subjectType: string
  readonly subjectId: string
  readonly userId: string | null
  readonly detail: string
  readonly expected: string
  readonly actual: string
  readonly occurredAt: string | null
}

/** What a rule found in one snapshot. */
export interface Judgement {
  readonly population: number
  readonly violations: number
  /** Σ |actual − expected| of all violations, in the rule's unit. */
  readonly impact: string
  /** Distinct users of all violations. */
  readonly users: number
  /** The violations of greatest impact, at most SAMPLE. */
  readonly sample: readonly Violation[]
}

/** `attempts` counts from 1; `lost`: there is no connection any more, other rules need not try. */
export type Outcome<T> = { readonly attempts: number } & (
  | { readonly value: T }
  | { readonly failure: string; readonly lost: boolean }
)

/** Rows of a violated rule that are read; beyond it only number, users and impact are known. */
export const SAMPLE = 200

const OIDS: Readonly<Record<string, number>> = { text: 25, numeric: 1700, timestamptz: 1184, uuid: 2950 }
const TYPES: Readonly<Record<number, string>> = {
  ...Object.fromEntries(Object.entries(OIDS).map(([name, oid]) => [oid, name])),
  16: 'boolean',
  20: 'bigint',
  23: 'integer',
  701: 'double precision',
  1043: 'varchar',
  1082: 'date',
  1114: 'timestamp',
  3802: 'jsonb',
}
const BIGINT = 20

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
      const population = await populationOf(connection, invariant)
      await checkShape(connection, invariant)
      return { population, ...(await violationsOf(connection, invariant)) }
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

async function populationOf(connection: Connection, invariant: Invariant): Promise<number> {
  return inFile(`${invariant.file}, population`, async () => {
    const { fields, rows } = await connection.query(
      `select p.* from (\n${invariant.population}\n) as p limit 2`,
    )
    const value = rows[0]?.[0] ?? null
    if (rows.length !== 1 || fields.length !== 1 || fields[0]?.type !== BIGINT || value === null) {
      throw new SessionError('population must be a count(*): one row with one bigint')
    }
    return count(value)
  })
}

/** Asks the server for names and types of the columns; no row is computed. */
async function checkShape(connection: Connection, invariant: Invariant): Promise<void> {
  const before = 'select v.* from (\n'
  const place = (error: unknown) => placeOf(invariant, (positionOf(error) ?? -1) - before.length)
  await inFile(place, async () => {
    const { fields } = await connection.query(`${before}${invariant.sql}\n) as v limit 0`)
    const columns = { ...RULE_COLUMNS, ...(invariant.namesUser && { user_id: 'uuid' }) }
    for (const [name, type] of Object.entries(columns)) {
      const is = fields.find((field) => field.name === name)?.type
      if (is !== OIDS[type]) {
        throw new SessionError(`column ${name} is ${TYPES[is ?? 0] ?? `of type ${is}`}, it must be ${type}`)
      }
    }
  })
}

async function violationsOf(
  connection: Connection,
  invariant: Invariant,
): Promise<Pick<Judgement, 'violations' | 'impact' | 'users' | 'sample'>> {
  return inFile(invariant.file, async () => {
    const { rows } = await connection.query(violationsSql(invariant))
    const [total = null, impact, users = null, incomplete] = rows[0] ?? []
    if (incomplete !== '0') {
      throw new SessionError(
        `${incomplete} of ${total} rows lack a subject, a detail, expected or actual, or hold NaN`,
      )
    }
    const violations = count(total)
    return {
      violations,
      impact: impact ?? '0',
      users: count(users),
      sample: violations === 0 ? [] : rows.map(violationOf),
    }
  })
}

function violationOf(row: readonly (string | null)[]): Violation {
  const [subjectType, subjectId, userId, detail, expected, actual, occurredAt] = row.slice(4)
  return {
    subjectType: subjectType ?? '',
    subjectId: subjectId ?? '',
    userId: userId ?? null,
    detail: detail ?? '',
    expected: expected ?? '',
    actual: actual ?? '',
    occurredAt: isoTime(occurredAt ?? null),
  }
}

/**
 * One statement, one snapshot: the exact number, the summed impact, the users, and a bounded sample. The file is a
 * sub-select, so that a write in it is a syntax error.
 */
function violationsSql(invariant: Invariant): string {
  const user = invariant.namesUser
    ? 'v.user_id::text'
    : `case when v.subject_type = 'user' then v.subject_id end`
  return `with v as materialized (
  select v.subject_type, v.subject_id, ${user} as user_id, v.detail, v.expected, v.actual, v.occurred_at
  from (
${invariant.sql}
  ) as v
), t as (
  select
    pg_catalog.count(*) as total,
    pg_catalog.sum(pg_catalog.abs(v.actual - v.expected)) as impact,
    pg_catalog.count(distinct v.user_id) as users,
    pg_catalog.count(*) filter (
      where v.subject_type is null or v.subject_id is null or v.detail is null
        or v.expected is null or v.actual is null
        or pg_catalog.abs(v.expected) = any (array['NaN', 'Infinity']::numeric[])
        or pg_catalog.abs(v.actual) = any (array['NaN', 'Infinity']::numeric[])
    ) as incomplete
  from v
), s as (
  select * from v
  order by pg_catalog.abs(v.actual - v.expected) desc nulls last, v.subject_type, v.subject_id, v.detail
  limit ${SAMPLE}
)
select t.total, t.impact, t.users, t.incomplete, s.subject_type, s.subject_id, s.user_id, s.detail, s.expected,
  s.actual, s.occurred_at
from t left join s on true
order by pg_catalog.abs(s.actual - s.expected) desc nulls last, s.subject_type, s.subject_id, s.detail`
}

/** An error, and the place in the catalogue that it comes from. */
class InFileError extends Error {
  readonly place: string

  constructor(place: string, cause: unknown) {
    super(place, { cause })
    this.place = place
  }
}

async function inFile<T>(place: string | ((error: unknown) => string), work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new InFileError(typeof place === 'string' ? place : place(error), error)
  }
}

function placeOf(invariant: Invariant, position: number): string {
  if (position < 0 || position > invariant.sql.length) {
    return invariant.file
  }
  return `${invariant.file}:${invariant.line + invariant.sql.slice(0, position).split('\n').length - 1}`
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

/** `2026-11-01 10:00:00.5+00`, as Postgres writes it in UTC, as ISO 8601; null for infinity, and before Christ. */
function isoTime(text: string | null): string | null {
  return text !== null && /^\d{4}-.*\+00$/.test(text) ? text.replace(' ', 'T').replace(/\+00$/, 'Z') : null
}

function count(text: string | null): number {
  const value = Number(text ?? Number.NaN)
  if (!Number.isSafeInteger(value)) {
    throw new SessionError(`"${text}" is no count`)
  }
  return value
}
