import { createHash } from 'node:crypto'
import type { Connection } from './connection.ts'
import { SessionError } from './failure.ts'

/** Time limits of a statement, in ms. Postgres' own, and therefore whole numbers above 0. */
export interface Limits {
  readonly statementMs: number
  readonly lockMs: number
  readonly idleMs: number
  /** The server has this long to be ready for a query. */
  readonly connectMs: number
  /** The client waits this much longer than the server may take. */
  readonly graceMs: number
}

/**
 * 20 s stay below max_standby_streaming_delay (30 s by default): a rule ends before the standby has to cancel it.
 */
export const LIMITS: Limits = {
  statementMs: 20_000,
  lockMs: 2_000,
  idleMs: 30_000,
  connectMs: 10_000,
  graceMs: 5_000,
}

/** What the rules read with current_setting(); '' where there is nothing to tell. */
export type RuleSettings = Readonly<Record<string, string>>

/**
 * Runs `work` in a transaction that is proven to be read-only, and rolls it back.
 *
 * The settings are local to the transaction, since poolers drop start-up options and leak session settings, and each
 * is read back, since a setting that did not take turns a verdict into a guess. The first query inside is ours: from
 * then on the server refuses to make the transaction writable. No savepoint is made: with one open, a standby's
 * conflict ends the connection instead of the statement.
 *
 * @param volatile names of built-in functions that must not be volatile
 * @throws SessionError when a setting is not as asked for, or one of the functions is volatile
 */
export async function readOnly<T>(
  connection: Connection,
  given: { limits: Limits; applicationName: string; settings: RuleSettings; volatile?: readonly string[] },
  work: () => Promise<T>,
): Promise<T> {
  const { limits, applicationName, settings, volatile = [] } = given
  const wanted: Record<string, string> = {
    statement_timeout: `${limits.statementMs}ms`,
    lock_timeout: `${limits.lockMs}ms`,
    idle_in_transaction_session_timeout: `${limits.idleMs}ms`,
    search_path: '',
    row_security: 'off',
    timezone: 'UTC',
    datestyle: 'ISO, YMD',
    intervalstyle: 'postgres',
    client_encoding: 'UTF8',
    // With it off a backslash would end strings elsewhere than for the parser that has checked the rule.
    standard_conforming_strings: 'on',
    // A statement whose client is gone (a deadline, Ctrl-C, a killed job) ends within a second, and not at its limit.
    client_connection_check_interval: '1s',
    // Compiling what asks a hundred questions of a table takes longer than answering them.
    jit: 'off',
    // Rows in the order of an index, each fetched alone, take twice as long as one scan and a sort by several processes.
    enable_incremental_sort: 'off',
    application_name: applicationName.slice(0, 63),
    ...settings,
  }
  const names = Object.keys(wanted)
  await connection.query('begin transaction isolation level repeatable read read only')
  try {
    const { rows: set } = await connection.query(
      `select ${names.map((name, index) => `pg_catalog.set_config('${name}', ${settingOf(name, index + 1)}, true)`).join(', ')}`,
      Object.values(wanted),
    )
    // The only one that the server chooses itself.
    if (AS_OF in wanted) wanted[AS_OF] = set[0]?.[names.indexOf(AS_OF)] ?? ''
    const read = [...names, 'transaction_read_only', 'transaction_isolation']
    const { rows } = await connection.query(
      `select ${read.map((name) => readBack(name, wanted[name])).join(', ')},
        pg_catalog.pg_backend_pid(),
        (select pg_catalog.string_agg(distinct p.proname::text, ', ')
         from pg_catalog.pg_proc as p
         where p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace and p.provolatile = 'v'
           and p.proname = any ($1::text[]))`,
      [`{${volatile.join(',')}}`],
    )
    const values = rows[0] ?? []
    assertSettings(
      { ...wanted, transaction_read_only: 'on', transaction_isolation: 'repeatable read' },
      read,
      values,
    )
    const [backend, found] = values.slice(read.length)
    connection.backend ??= backend ?? undefined
    if (connection.backend !== backend) throw new SessionError(POOLED)
    if (found !== null && found !== undefined) {
      throw new SessionError(
        `it calls ${found}(): volatile, so it may write, wait, or answer differently each time`,
      )
    }
    return await work()
  } finally {
    // On a connection that is gone there is nothing to roll back, and the first error is the one to tell.
    await connection.query('rollback').catch(() => {})
  }
}

/** Why a target is refused that is reached through a pooler in transaction mode. */
export const POOLED =
  'this is a pooler in transaction mode: each transaction may get another connection of the server, so what the audit knows of one does not hold for the next, and its time-outs and its name are not those of a session; use the session pooler (Supabase: port 5432 in place of 6543), or the server itself'

const AS_OF = 'audit.as_of'

/**
 * A moment that no row of the snapshot is later than: the snapshot is there before the clock is read. What a rule is
 * given is never earlier than the run's own moment.
 */
function settingOf(name: string, parameter: number): string {
  return name === AS_OF
    ? `pg_catalog.to_char(greatest($${parameter}::timestamptz, ${SHOWN_MOMENT}) at time zone 'UTC', '${ISO_FORMAT}')`
    : `$${parameter}`
}

/** The moment that a server shows: on a standby when the last replayed transaction was committed, else its clock. */
export const SHOWN_MOMENT = `case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_xact_replay_timestamp() else pg_catalog.clock_timestamp() end`

/** ISO 8601 with microseconds, for to_char of a timestamp in UTC. */
export const ISO_FORMAT = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'

/** Evidence may be megabytes long: of a long value only the hash travels back. */
const LONG = 200

function readBack(name: string, want = ''): string {
  const value = `pg_catalog.current_setting('${name}')`
  return want.length > LONG
    ? `pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(${value}, 'UTF8')), 'hex')`
    : value
}

function assertSettings(
  wanted: Readonly<Record<string, string>>,
  names: readonly string[],
  values: readonly (string | null)[],
): void {
  names.forEach((name, index) => {
    const want = wanted[name] ?? ''
    const is = values[index] ?? ''
    const same = name.endsWith('_timeout')
      ? milliseconds(is) === milliseconds(want)
      : is === (want.length > LONG ? createHash('sha256').update(want).digest('hex') : want)
    if (!same) {
      throw new SessionError(
        name.startsWith('audit.')
          ? `setting ${name} did not take: is there a pooler that spreads a transaction over connections?`
          : `setting ${name} is "${is}" instead of "${want}": is there a pooler that spreads a transaction over connections?`,
      )
    }
  })
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000, d: 86_400_000 }

/** Postgres writes 20000ms as 20s. */
function milliseconds(text: string): number {
  const [, size, unit = 'ms'] = /^(\d+)(ms|s|min|h|d)?$/.exec(text) ?? []
  return size === undefined ? Number.NaN : Number(size) * (UNITS[unit] ?? Number.NaN)
}
