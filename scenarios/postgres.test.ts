import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { dropAbandoned, dropDatabase } from '../fixtures/postgres/abandoned.ts'
import { inDatabase } from '../fixtures/postgres/connection.ts'
import { Databases } from '../fixtures/postgres/databases.ts'
import { newOwner } from '../fixtures/postgres/names.ts'
import { startPostgres, UsageError } from '../fixtures/postgres/server.ts'

/*
 * Here the databases that all other stories stand on are themselves under test, so these tests make and drop
 * theirs by hand.
 */

const serverUrl = inject('postgresUrl')

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  onTestFinished(() => client.end())
  return client
}

async function ask(url: string, sql: string): Promise<unknown> {
  const client = await connect(url)
  const { rows } = await client.query({ text: sql, rowMode: 'array' })
  return rows[0]?.[0]
}

const names = async (like: string) =>
  (await ask(
    serverUrl,
    `select coalesce(array_agg(datname::text order by datname), '{}') from pg_database where datname ~ '${like}'`,
  )) as string[]

function databases(
  ...options: ConstructorParameters<typeof Databases> extends [string, ...infer O] ? O : never
) {
  const made = new Databases(serverUrl, ...options)
  onTestFinished(() => made.close())
  return made
}

/** Three revisions of a little schema, with a word in it that makes their hashes, and templates, this test's own. */
async function littleRevisions(view = 'create view public.b as select * from public.a') {
  const before = await names('^ta_template_')
  const templates = async () => (await names('^ta_template_')).filter((name) => !before.includes(name))
  onTestFinished(async () => {
    const client = await connect(serverUrl)
    for (const name of await templates()) await dropDatabase(client, name)
  })
  const directory = await mkdtemp(join(tmpdir(), 'little-revisions-'))
  const own = newOwner()
  const write = (name: string, sql: string) => writeFile(join(directory, name), `-- ${own}\n${sql}`)
  await write('a.sql', 'create table public.a (id int); insert into public.a values (1)')
  await write('b.sql', view)
  await write('c.sql', 'drop view public.b')
  onTestFinished(() => rm(directory, { recursive: true }))
  const revisions = {
    'as-found': { files: [join(directory, 'a.sql')] },
    view: { from: 'as-found', files: [join(directory, 'b.sql')] },
    unified: { from: 'view', files: [join(directory, 'c.sql')] },
    supabase: { files: [] },
  } as const
  return { revisions, directory, templates }
}

describe('a database of a revision', () => {
  test('has its schema, and shares nothing with the next one', async () => {
    const own = databases()
    const [one, other] = [await own.create('unified'), await own.create('unified')]
    await ask(one.url, `create table public.only_here ()`)
    const here = `select to_regclass('public.only_here') is not null and to_regclass('public.token_usage') is not null`
    expect(await ask(one.url, here)).toBe(true)
    expect(await ask(other.url, here)).toBe(false)
  })

  test('sorts text as C.UTF-8 on whichever server', async () => {
    const { url } = await databases().create('as-found')
    expect(await ask(url, `select array_agg(w order by w) from unnest('{b,ä,B,a}'::text[]) w`)).toEqual([
      'B',
      'a',
      'b',
      'ä',
    ])
    expect(await ask(url, `select upper('ä')`)).toBe('Ä')
  })

  // Catches a template made by each worker (seconds each, and "role already exists"), or by two at once.
  test('comes from one template, however many ask for it at the same time', async () => {
    const { revisions, templates } = await littleRevisions()
    const workers = [1, 2, 3, 4].map(() => databases({ revisions }))
    const made = await Promise.all(workers.map((worker) => worker.create('unified')))
    expect(await Promise.all(made.map(({ url }) => ask(url, 'select count(*)::int from public.a')))).toEqual([
      1, 1, 1, 1,
    ])
    expect((await templates()).map((name) => name.replace(/_[0-9a-f]{12}$/, ''))).toEqual([
      'ta_template_as_found',
      'ta_template_unified',
      'ta_template_view',
    ])
  })

  // Catches a clone that waits, or fails, because somebody looks into the template.
  test('has a template that nobody can connect to', async () => {
    await databases().create('as-found')
    const [template] = await names('^ta_template_as_found_')
    await expect(connect(inDatabase(serverUrl, template as string))).rejects.toThrow(
      'not currently accepting connections',
    )
  })

  // Catches "the name is there, so it is done": the one who began may have been killed half-way.
  test('is not made from a template that was left half-made', async () => {
    const { revisions, templates } = await littleRevisions()
    await databases({ revisions }).create('as-found')
    const [template] = await templates()
    const client = await connect(serverUrl)
    await client.query(`alter database ${template} is_template false allow_connections true`)
    await ask(inDatabase(serverUrl, template as string), 'drop table public.a')
    const { url } = await databases({ revisions }).create('as-found')
    expect(await ask(url, 'select count(*)::int from public.a')).toBe(1)
  })

  test('whose SQL is wrong says in which file and line', async () => {
    const { revisions, directory } = await littleRevisions(
      'create view public.b as\nselect nothing from public.a',
    )
    await expect(databases({ revisions }).create('view')).rejects.toThrow(
      `${join(directory, 'b.sql')}:3: column "nothing" does not exist`,
    )
  })
})

describe('a template of a test', () => {
  // Catches a play that is repeated in every worker: it is dear, that is why it is made a template.
  test('is filled once a run, and its notes reach every worker', async () => {
    const run = databases()
    await run.open()
    let played = 0
    const fill = async (url: string) => {
      played++
      const client = new Client({ connectionString: url })
      await client.connect()
      await client.query('create table public.played as select 7 as n')
      await client.end()
      return { until: new Date(0), tokens: '5000000' }
    }
    const workers = [databases({ run: run.owner }), databases({ run: run.owner })]
    const templates = await Promise.all(workers.map((worker) => worker.makeTemplate('a play', fill)))
    expect(played).toBe(1)
    // As JSON, in the worker that played it too: otherwise a test would depend on who came first.
    const notes = { until: '1970-01-01T00:00:00.000Z', tokens: '5000000' }
    expect(templates.map((template) => template.notes)).toEqual([notes, notes])
    for (const [i, worker] of workers.entries()) {
      const clone = await worker.createFrom(templates[i] as { name: string })
      expect(await ask(clone.url, 'select n from public.played')).toBe(7)
    }
  })

  test('starts from what it is told to', async () => {
    const own = databases()
    const bare = await own.makeTemplate('bare', async () => {})
    const based = await own.makeTemplate('based', async () => {}, 'as-found')
    const tables = `select to_regclass('public.token_usage') is not null`
    expect(await ask((await own.createFrom(bare)).url, tables)).toBe(false)
    expect(await ask((await own.createFrom(based)).url, tables)).toBe(true)
    expect(await ask((await own.empty()).url, tables)).toBe(false)
  })

  // Catches the clone that hangs for seconds and then says "source database is being accessed by other users".
  test('says so when filling it leaves a session open', async () => {
    await expect(
      databases().makeTemplate('left open', async (url) => {
        await ask(url, `set application_name = 'forgetful'`)
      }),
    ).rejects.toThrow(
      /1 session\(s\) still open on the template .*\(forgetful idle .*\): close what fill opened/,
    )
  })

  test('that can not be filled fails for all who want it, with the reason', async () => {
    const own = databases()
    const fill = async () => {
      throw new Error('the story broke')
    }
    await expect(own.makeTemplate('broken', fill)).rejects.toThrow('the story broke')
    await expect(own.makeTemplate('broken', fill)).rejects.toThrow('the story broke')
  })
})

describe('what is left', () => {
  test('a dropped database is gone though somebody is connected, and may be dropped twice', async () => {
    const database = await databases().empty()
    await connect(database.url)
    await database.drop()
    await database.drop()
    expect(await names(`^${database.name}$`)).toEqual([])
  })

  // Catches a clean-up that eats what a person wants to look at, and one that leaves clones made ahead.
  test('closing drops what was made, kept databases apart', async () => {
    const own = new Databases(serverUrl)
    const kept = await own.empty()
    await own.empty()
    await own.makeTemplate('template', async () => {})
    await kept.keep('failed: a story')
    await own.close()
    expect(await names(`^ta_${own.owner}_`)).toEqual([kept.name])
    await (await connect(serverUrl)).query(`drop database ${kept.name}`)
  })

  test('closing what was never used connects to nothing', async () => {
    await new Databases('postgres://nobody@127.0.0.1:1/postgres').close()
  })

  // Catches the worst a test tool can do: dropping a database that is not its own, or in use by another run.
  test('only databases of dead runs are cleaned up', async () => {
    const living = databases()
    const inUse = await living.empty()
    const dead = newOwner()
    const client = await connect(serverUrl)
    const foreign = [`ta_${dead}`, `ta_notes_${dead}`, `data_${dead}`, `ta_${dead}_kept`]
    onTestFinished(async () => {
      for (const name of foreign) await ask(serverUrl, `drop database if exists ${name}`)
    })
    for (const name of [`ta_${dead}_1`, `ta_${dead}_t_play_0`, ...foreign]) {
      await client.query(`create database ${name} template template0 strategy file_copy`)
    }
    await client.query(`alter database ta_${dead}_t_play_0 is_template true`)
    await client.query(`comment on database ta_${dead}_kept is 'kept: failed yesterday'`)
    await dropAbandoned(client)
    expect(await names(dead)).toEqual(foreign.toSorted())
    expect(await names(`^${inUse.name}$`)).toEqual([inUse.name])
  })
})

describe('a server given by URL', () => {
  test('is used, and left alone when the run ends', async () => {
    const server = await startPostgres({ way: 'server', url: serverUrl })
    expect(server.says).toMatch(/^Postgres: server [^ @]+:\d+ \(\d+\.\d+\)$/)
    expect(server.url).toBe(serverUrl)
    await server.stop()
    expect(await ask(serverUrl, 'select 1')).toBe(1)
  })

  test('whose database does not exist is refused in one line', async () => {
    await expect(startPostgres({ way: 'server', url: inDatabase(serverUrl, 'nowhere') })).rejects.toThrow(
      /^TEST_POSTGRES: postgres.*\/nowhere refuses: database "nowhere" does not exist: name one that exists/,
    )
  })

  test('that nobody listens on is refused in one line', async () => {
    await expect(
      startPostgres({ way: 'server', url: 'postgres://u:geheim@127.0.0.1:1/postgres' }),
    ).rejects.toThrow(
      /^TEST_POSTGRES: postgres:\/\/u:\*\*\*@127.0.0.1:1\/postgres can't be reached \(connect ECONNREFUSED 127.0.0.1:1\): start it/,
    )
  })

  // Catches a run that waits for ever on a port where something other than Postgres listens.
  test('that never answers is given up', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    onTestFinished(() => {
      silent.close()
    })
    const { port } = silent.address() as { port: number }
    await expect(
      startPostgres({ way: 'server', url: `postgres://u@127.0.0.1:${port}/postgres` }),
    ).rejects.toThrow("can't be reached (timeout expired)")
  })

  test('with a role that is no superuser is refused: it could not make the roles', async () => {
    const role = `ta_role_${newOwner()}`
    const client = await connect(serverUrl)
    await client.query(`create role ${role} login createdb password 'geheim'`)
    onTestFinished(() => ask(serverUrl, `drop role ${role}`) as Promise<void>)
    const url = new URL(serverUrl)
    url.username = role
    url.password = 'geheim'
    const refused = startPostgres({ way: 'server', url: url.href })
    await expect(refused).rejects.toThrow(UsageError)
    await expect(refused).rejects.toThrow(`the role "${role}" of`)
    await expect(refused).rejects.not.toThrow('geheim')
  })
})
