import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { beat, installHeartbeat } from '../../fixtures/migrations/heartbeat.ts'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import { inDatabase } from '../../fixtures/postgres/connection.ts'
import { type Database, Databases } from '../../fixtures/postgres/databases.ts'
import { parseTestPostgres } from '../../fixtures/postgres/server.ts'
import type { Standby } from '../../fixtures/postgres/standbys/standby.ts'
import { type Replicas, startReplicas } from '../../fixtures/postgres/standbys/start.ts'
import { command } from '../migrations/cli.ts'
import { ask, refusal, type Session, session } from './support.ts'

/*
 * Plain sessions on a real standby: what each switch of the fixture makes of it, and how Postgres behaves there. The
 * audit's session rests on these facts; should a version of Postgres change one, it is seen here.
 */

let replicas: Replicas
let databases: Databases
let database: Database
/** The standby that the tests break. */
let standby: Standby
/** The one that must not notice, and is promoted in the end. */
let spare: Standby

beforeAll(async () => {
  const choice = parseTestPostgres(process.env.TEST_POSTGRES)
  // A server that was given has no standbys that may be broken.
  replicas = await startReplicas(2, choice?.way === 'server' ? { way: 'embedded' } : choice)
  console.log(replicas.says)
  ;[standby, spare] = replicas.standbys as [Standby, Standby]
  databases = new Databases(replicas.primary)
  database = await databases.empty()
  await write('create table public.notes (id int)')
  await standby.caughtUp()
})

afterAll(async () => {
  await databases?.close()
  await replicas?.stop()
})

const write = (sql: string) => ask(database.url, sql)
const on = (server: Standby) => inDatabase(server.url, database.name)
const read = (sql: string, server = standby) => ask(on(server), sql)

/** A session on the standby, gone after the test. */
async function reader(applicationName = 'reader'): Promise<Session> {
  const made = await session(on(standby), applicationName)
  onTestFinished(() => made.client.end())
  return made
}

/** A statement that runs for as long as nobody ends it; it has its snapshot when this is done. */
async function longStatement(client: Client): Promise<{ refused: Promise<string> }> {
  const [pid] = Object.values((await client.query('select pg_backend_pid() as pid')).rows[0])
  const refused = refusal(client.query('select pg_sleep(30)'))
  refused.catch(() => {})
  await vi.waitFor(async () => {
    expect(
      await read(
        `select query, backend_xmin is not null from pg_stat_activity where state = 'active' and pid = ${pid}`,
      ),
    ).toEqual(['select pg_sleep(30)', 'true'])
  }, 10_000)
  return { refused }
}

test('a server given by URL has no standbys that may be broken', async () => {
  await expect(startReplicas(1, { way: 'server', url: 'postgres://h/d' })).rejects.toMatchObject({
    name: 'UsageError',
    message: expect.stringContaining('use container or embedded'),
  })
})

describe('a standby', () => {
  test('shows what was committed on its primary, and takes no writes', async () => {
    await write('insert into public.notes values (1)')
    await standby.caughtUp()
    expect(await read('select count(*), pg_is_in_recovery() from public.notes where id = 1')).toEqual([
      '1',
      'true',
    ])
    expect(await refusal(read('insert into public.notes values (0)'))).toMatch(/^ERROR 25006 /)
  })

  test('has its own moment of start, and the system identifier of its primary', async () => {
    const identity =
      'select (select system_identifier from pg_control_system()), pg_postmaster_start_time()::text'
    const [[system, started], [other, otherStarted]] = await Promise.all([
      ask(replicas.primary, identity),
      read(identity),
    ])
    expect(other).toBe(system)
    expect(otherStarted).not.toBe(started)
  })

  test('can share the snapshot of one session with another', async () => {
    const { client: exporter } = await reader()
    await exporter.query('begin isolation level repeatable read read only')
    const { rows } = await exporter.query<{ id: string }>('select pg_export_snapshot() as id')
    await write('insert into public.notes values (2)')
    await standby.caughtUp()
    const { client: importer } = await reader()
    await importer.query('begin isolation level repeatable read read only')
    await importer.query(`set transaction snapshot '${rows[0]?.id}'`)
    const seen = await importer.query('select from public.notes where id = 2')
    expect(seen.rowCount).toBe(0)
    expect(await read('select count(*) from public.notes where id = 2')).toEqual(['1'])
  })

  test('knows no serializable transactions', async () => {
    const { client } = await reader()
    expect(
      await refusal(client.query('begin isolation level serializable read only; select from public.notes')),
    ).toMatch(/^ERROR 0A000 cannot use serializable mode in a hot standby/)
  })

  // Catches an age that is taken from the last replayed transaction alone: an idle primary would look like a dead stream.
  test('of an idle primary looks older and older by its last transaction, although nothing is missing', async () => {
    const { client } = await reader()
    const look = async () =>
      (
        await client.query<{ replayed: string; age: number; whole: boolean }>(
          `select pg_last_xact_replay_timestamp()::text as replayed,
             extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::float8 as age,
             pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() as whole`,
        )
      ).rows[0]
    const first = await look()
    const second = await look()
    expect(second).toMatchObject({ replayed: first?.replayed, whole: true })
    expect(second?.age).toBeGreaterThan(first?.age ?? Number.NaN)
  })
})

describe('replay that is paused', () => {
  test('receives what it does not show, on this standby alone, until it is resumed', async () => {
    await standby.pauseReplay()
    await write('insert into public.notes values (10)')
    await spare.caughtUp()
    expect(await read('select count(*) from public.notes where id = 10', spare)).toEqual(['1'])
    await vi.waitFor(async () => {
      expect(await read('select pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()')).toEqual(['true'])
    }, 10_000)
    expect(await read('select count(*) from public.notes where id = 10')).toEqual(['0'])
    await standby.resumeReplay()
    await standby.caughtUp()
    expect(await read('select count(*) from public.notes where id = 10')).toEqual(['1'])
  })
})

describe('a stream that is cut', () => {
  // Catches "no lag, since what was received is replayed": it holds for ever when nothing is received any more.
  test('looks complete by its positions although a row is missing, until it is restored', async () => {
    await standby.cutStream()
    await write('insert into public.notes values (20)')
    await spare.caughtUp()
    expect(
      await read(
        `select pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn(), count(id),
           (select count(*) from pg_stat_wal_receiver) from public.notes where id = 20`,
      ),
    ).toEqual(['true', '0', '0'])
    await expect(standby.cutStream()).rejects.toThrow('cut already')
    await standby.restoreStream()
    expect(
      await read(
        'select count(id), (select count(*) from pg_stat_wal_receiver) from public.notes where id = 20',
      ),
    ).toEqual(['1', '1'])
  })
})

describe('a conflict with recovery', () => {
  // Catches a switch that does nothing, and a test that then waits for what never comes.
  test('can not be made while somebody on the primary still needs the old rows', async () => {
    const { client } = await session(database.url, 'old snapshot')
    onTestFinished(() => client.end())
    await client.query('begin isolation level repeatable read; select from public.notes')
    await expect(standby.conflict(database.name)).rejects.toThrow('still sees the old rows')
  })

  test('cancels a running statement; the session goes on', async () => {
    const { client } = await reader()
    await client.query('begin isolation level repeatable read read only')
    const { refused } = await longStatement(client)
    await standby.conflict(database.name)
    expect(await refused).toBe('ERROR 40001 canceling statement due to conflict with recovery')
    await client.query('rollback')
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  // Catches savepoints in the audit's transaction: what could be tried again would cost the connection.
  test('ends the session that has a savepoint', async () => {
    const { client, ended } = await reader()
    await client.query('begin isolation level repeatable read read only; savepoint before')
    const { refused } = await longStatement(client)
    await standby.conflict(database.name)
    expect(await refused).toBe('FATAL 40001 terminating connection due to conflict with recovery')
    await ended
    await expect(client.query('select 1')).rejects.toThrow()
  })

  // Catches one snapshot for the whole run, held while the client is busy with something else.
  test('ends the session that is idle and holds a snapshot', async () => {
    const { client, ended } = await reader()
    await client.query('begin isolation level repeatable read read only')
    await client.query('select count(*) from public.notes')
    await standby.conflict(database.name)
    expect(await ended).toBe('40001')
    await expect(client.query('select 1')).rejects.toThrow()
  })

  test('does not touch short statements, each with a snapshot of its own, which see what is new', async () => {
    const { client } = await reader()
    await client.query('begin isolation level read committed read only')
    for (const id of [30, 31, 32]) {
      await write(`insert into public.notes values (${id})`)
      await standby.conflict(database.name)
      const { rows } = await client.query('select max(id) as id from public.notes')
      expect(rows).toEqual([{ id }])
    }
  })
})

describe('a backend that is ended', () => {
  test('is one whose application_name begins as asked, and no other', async () => {
    const mine = await reader('night-audit/7')
    const other = await reader('day-audit/7')
    expect(await standby.endBackends('night-audit/')).toBe(1)
    expect(await mine.ended).toBe('57P01')
    expect((await other.client.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  // Catches a client without a listener: the process would end before anybody is told.
  test('ends a process whose client has no listener for errors, and no other', async () => {
    const program = (name: string, listener: string) => `
      import { Client } from 'pg'
      const client = new Client({ connectionString: ${JSON.stringify(standby.url)}, application_name: '${name}' })
      ${listener}
      await client.connect()
      const stay = setTimeout(() => {}, 20_000)`
    const run = (name: string, listener: string) =>
      new Promise<number>((resolve) => {
        const code = program(name, listener)
        execFile(
          process.execPath,
          ['--input-type=module', '-e', code],
          { cwd: import.meta.dirname },
          (error) => resolve(typeof error?.code === 'number' ? error.code : 0),
        )
      })
    const deaf = run('deaf', '')
    const listening = run('listening', `client.on('error', () => clearTimeout(stay))`)
    await vi.waitFor(async () => {
      expect(
        await read(
          `select count(*) from pg_stat_activity where application_name in ('deaf', 'listening') and state = 'idle'`,
        ),
      ).toEqual(['2'])
    }, 10_000)
    await standby.endBackends('deaf')
    await standby.endBackends('listening')
    expect(await Promise.all([deaf, listening])).toEqual([1, 0])
  })
})

describe('the heartbeat of the primary', () => {
  test('arrives here, and can not be given here', async () => {
    const app = await databases.create('as-found')
    const here = inDatabase(standby.url, app.name)
    const sql = 'select trunc(extract(epoch from beaten_at), 3) from public.token_audit_heartbeat'
    const { beatenAt } = await installHeartbeat(parseTarget(app.url))
    await standby.caughtUp()
    expect(await ask(here, sql)).toEqual([(beatenAt.getTime() / 1_000).toFixed(3)])
    const next = await beat(parseTarget(app.url))
    expect(next.getTime()).toBeGreaterThanOrEqual(beatenAt.getTime())
    await standby.caughtUp()
    expect(await ask(here, sql)).toEqual([(next.getTime() / 1_000).toFixed(3)])
    for (const attempt of [beat, installHeartbeat]) {
      await expect(attempt(parseTarget(here))).rejects.toThrow(
        'this server is a read-only replica: give the URL of the primary',
      )
    }
  })
})

describe('the road', () => {
  // Would catch: a command that fails half-way on a replica, or with a stack trace; and a file that only a replica knows.
  test('is not walked here; what reads alone does, and its file is posted on the primary', async () => {
    const app = await databases.create('unified')
    await ask(app.url, `insert into auth.users (id) values ('00000000-0000-4000-8000-000000000001')`)
    await ask(
      app.url,
      `insert into public.user_profiles (user_id, vibe_assistant_tokens_remaining)
       select id, 100 from auth.users`,
    )
    await standby.caughtUp()
    const here = inDatabase(standby.url, app.name)
    const folder = await mkdtemp(join(tmpdir(), 'replica-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const file = join(folder, 'lines.csv')
    expect(await command('differences', '--database', here, '--csv', file)).toMatchObject({
      code: 0,
      err: '',
    })
    const refused = await Promise.all(
      [
        ['status'],
        ['view'],
        ['unify'],
        ['unify', '--dry-run'],
        ['unify', '--undo'],
        ['adjust', '--file', file],
        ['verify'],
        ['retire'],
        ['retire', '--drop', '0'],
      ].map((args) => command(...args, '--database', here)),
    )
    for (const { code, err } of refused) {
      expect(code).toBe(2)
      expect(err).toMatch(/^migrate: .*a read-only replica: give the URL of the primary\n$/)
    }
    expect(refused[0]?.out).toMatch(/^stage: unify$/m)
    expect((await command('adjust', '--file', file, '--database', app.url)).out).toMatch(
      /posted 1 line for 1 user/,
    )
  })
})

describe('a restart', () => {
  test('ends the sessions and comes back as a standby at the same address, which then follows', async () => {
    const { ended } = await reader()
    const started = 'select pg_postmaster_start_time()::text'
    const before = await read(started)
    await standby.restart()
    expect(await ended).toBe('57P01')
    expect(await read(started)).not.toEqual(before)
    await write('insert into public.notes values (40)')
    await standby.caughtUp()
    expect(await read('select count(*), pg_is_in_recovery() from public.notes where id = 40')).toEqual([
      '1',
      'true',
    ])
  })
})

describe('a promoted standby', () => {
  test('takes writes and follows nobody; the other one goes on following', async () => {
    await spare.promote()
    await read('insert into public.notes values (50)', spare)
    await write('insert into public.notes values (51)')
    await standby.caughtUp()
    const latest = 'select array_agg(id order by id) from public.notes where id >= 50'
    expect(await read(latest, spare)).toEqual(['50'])
    expect(await read(latest)).toEqual(['51'])
  })
})
