import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'vitest'
import { readSchema } from '../../fixtures/schema/schema.ts'
import { load } from '../engine/schema-change/loaded.ts'
import { lockFindings, watchLocks } from '../engine/schema-change/locks.ts'
import { test } from '../support/test.ts'

const USAGE = 'public.token_usage'

async function migration(sql: string) {
  const folder = await mkdtemp(join(tmpdir(), 'locks-'))
  await writeFile(join(folder, '1_change.sql'), sql)
  return (await readSchema(folder)).files
}

/** What is told does not depend on how many they are. */
const ROWS = 1_000
const fill = (url: string) => load(url, ROWS)

describe('on full tables', () => {
  test.for<[string, string, { mode?: string; line: number; reads: boolean; rewrites: boolean }]>([
    [
      'a new column',
      `alter table ${USAGE} add column a int`,
      { mode: 'AccessExclusiveLock', line: 1, reads: false, rewrites: false },
    ],
    [
      'a CHECK for new rows',
      `alter table ${USAGE} add check (tokens_used >= 0) not valid`,
      { mode: 'AccessExclusiveLock', line: 1, reads: false, rewrites: false },
    ],
    [
      'a CHECK for all rows reads them',
      `select 1;\nalter table ${USAGE} add check (tokens_used >= 0)`,
      { mode: 'AccessExclusiveLock', line: 2, reads: true, rewrites: false },
    ],
    [
      'an index reads them',
      `create index on ${USAGE} (success)`,
      { mode: 'ShareLock', line: 1, reads: true, rewrites: false },
    ],
    [
      'another type rewrites them',
      `alter table ${USAGE} alter column tokens_used type bigint`,
      { mode: 'AccessExclusiveLock', line: 1, reads: true, rewrites: true },
    ],
    // The lock is short by itself; what follows in the transaction makes it long.
    [
      'a short lock, and then all rows',
      `alter table ${USAGE} add column a int;\nupdate ${USAGE} set a = 1`,
      { mode: 'AccessExclusiveLock', line: 2, reads: true, rewrites: false },
    ],
    [
      'a short lock, and then a rewrite',
      `alter table ${USAGE} add column a int;\n\nalter table ${USAGE} alter column tokens_used type bigint`,
      { mode: 'AccessExclusiveLock', line: 3, reads: true, rewrites: true },
    ],
  ])('%s', async ([, sql, told], { database, databases, expect }) => {
    const full = await databases.makeTemplate('full-tables', fill, 'as-found')
    expect(full.notes).toEqual([])
    const { holds, failed } = await watchLocks((await database(full)).url, await migration(sql))
    expect(failed).toBeUndefined()
    expect(holds).toEqual([expect.objectContaining({ table: USAGE, ...told })])
    expect(lockFindings(holds).map(({ level }) => level)).toEqual(told.reads || told.rewrites ? ['harm'] : [])
  })

  test.for<[string, string]>([
    [
      'validating keeps nobody waiting',
      `alter table ${USAGE} validate constraint token_usage_action_type_check`,
    ],
    ['an index that is made concurrently', `create index concurrently on ${USAGE} (success)`],
    ['an update', `update ${USAGE} set success = true`],
    [
      'a table of its own',
      'create table public.own (id int); alter table public.own add check (id > 0); create index on public.own (id)',
    ],
  ])('%s', async ([, sql], { database, databases, expect }) => {
    const full = await databases.makeTemplate('full-tables', fill, 'as-found')
    const { holds, failed } = await watchLocks((await database(full)).url, await migration(sql))
    expect(failed).toBeUndefined()
    expect(holds).toEqual([])
  })

  test('a migration that fails there is told, with what it locked before', async ({
    database,
    databases,
    expect,
  }) => {
    const full = await databases.makeTemplate('full-tables', fill, 'as-found')
    const sql = `begin; alter table ${USAGE} add column a int; commit;\ncreate unique index on ${USAGE} (model_used);`
    const { holds, failed } = await watchLocks((await database(full)).url, await migration(sql))
    expect(failed?.message).toMatch(/1_change\.sql:2: could not create unique index/)
    expect(holds).toEqual([expect.objectContaining({ table: USAGE, line: 1 })])
  })

  // A stage whose constraints refuse made-up rows would be tried on empty tables, and nobody told.
  test('the tables of every stage can be filled', async ({ database, expect }) => {
    expect(await fill((await database('unified')).url)).toEqual([])
  })
})
