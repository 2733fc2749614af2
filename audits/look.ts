import type { Connection } from './connection.ts'
import { failureOf, SessionError, sqlstateOf } from './failure.ts'
import type { Moments } from './freshness.ts'
import { blindness, OWN_RELATIONS, type RoleFacts, readRole } from './role.ts'
import { STAGE_FACTS_SQL, STAGE_RECORDED_SQL, type StageReading, stageOf } from './stage.ts'
import { ISO_FORMAT, SHOWN_MOMENT } from './transaction.ts'

/** What is known about a target before a rule runs. */
export interface Look {
  /** e.g. PostgreSQL 17.6 */
  readonly server: string
  readonly database: string
  /** The cluster's system identifier: the same on a primary and its standbys. */
  readonly system: string
  /** When this server was started, to the microsecond: tells a primary and its standbys apart. */
  readonly startedAt: string
  readonly standby: boolean
  /** The moment that the target shows. */
  readonly asOf: string
  readonly moments: Moments
  /** This machine's time when `moments` were read, in ms. */
  readonly here: number
  readonly stage: StageReading
  readonly role: RoleFacts
}

const utc = (moment: string) => `pg_catalog.to_char((${moment}) at time zone 'UTC', '${ISO_FORMAT}')`

const SERVER_SQL = `
select
  pg_catalog.current_setting('server_version'),
  pg_catalog.current_database()::text,
  (select c.system_identifier::text from pg_catalog.pg_control_system() as c),
  ${utc('pg_catalog.pg_postmaster_start_time()')},
  pg_catalog.pg_is_in_recovery(),
  ${utc('pg_catalog.clock_timestamp()')},
  case when pg_catalog.pg_is_in_recovery() then ${utc(SHOWN_MOMENT)} end,
  exists (select from pg_catalog.pg_stat_wal_receiver)`

const HEARTBEAT_THERE_SQL = `
select exists (
  select from pg_catalog.pg_class as c
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  where n.nspname = 'public' and c.relname = 'token_audit_heartbeat')`

const HEARTBEAT_SQL = `
select case
  when pg_catalog.isfinite(max(h.beaten_at)) then ${utc('max(h.beaten_at)')}
  else max(h.beaten_at)::text
end
from public.token_audit_heartbeat as h`

/**
 * Reads what a target is, inside a transaction.
 *
 * @param relations that the rules read
 * @param now this machine's clock, in ms
 * @throws SessionError when the role can't read what says how fresh the target is
 */
export async function readLook(
  connection: Connection,
  relations: readonly string[],
  now: () => number,
): Promise<Look> {
  const role = await readRole(connection, [...relations, ...OWN_RELATIONS])
  if (role.closedSchemas.length > 0) throw new SessionError(blindness(role) ?? '')
  const before = now()
  const { rows } = await connection.query(SERVER_SQL)
  const here = (before + now()) / 2
  const [server, database, system, startedAt, standby, clock, replayed, receiving] = rows[0] ?? []
  const moments: Moments = {
    standby: standby === 't',
    clock: clock ?? '',
    replayed: replayed ?? null,
    receiving: receiving === 't',
    heartbeat: await readHeartbeat(connection, role),
  }
  return {
    server: `PostgreSQL ${server}`,
    database: database ?? '',
    system: system ?? '',
    startedAt: startedAt ?? '',
    standby: moments.standby,
    asOf: asOfOf(moments),
    moments,
    here,
    stage: await readStage(connection),
    role,
  }
}

/** What a standby shows is at least as late as its heartbeat; of one that shows neither, only its clock is known. */
function asOfOf({ standby, clock, replayed, heartbeat }: Moments): string {
  if (!standby) return clock
  return (
    [replayed, heartbeat]
      .flatMap((moment) => moment ?? [])
      .sort()
      .at(-1) ?? clock
  )
}

async function readHeartbeat(connection: Connection, role: RoleFacts): Promise<string | null | undefined> {
  const there = (await connection.query(HEARTBEAT_THERE_SQL)).rows[0]?.[0] === 't'
  if (!there) return undefined
  const heartbeat = 'public.token_audit_heartbeat'
  if ([...role.unreadable, ...role.filtered].includes(heartbeat)) {
    throw new SessionError(blindness(role) ?? '')
  }
  return (await connection.query(HEARTBEAT_SQL)).rows[0]?.[0] ?? null
}

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
