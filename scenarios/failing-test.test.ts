import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { Client } from 'pg'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { dropDatabase } from '../fixtures/postgres/abandoned.ts'
import { removeLeftovers } from '../fixtures/postgres/cluster.ts'

/** Runs the tests that fail on purpose; what it printed, without colours. */
function failingRun(env: Record<string, string>): Promise<string> {
  const root = join(import.meta.dirname, '..')
  const vitest = [
    join(root, 'node_modules/vitest/vitest.mjs'),
    ...['run', '--root', root, '--config', join(import.meta.dirname, 'support/failing/vitest.config.ts')],
  ]
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      vitest,
      { env: { ...process.env, NO_COLOR: '1', ...env } },
      (_, stdout, stderr) => {
        resolve(stdout + stderr)
      },
    )
  })
}

async function query(url: string, sql: string): Promise<unknown[][]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows
  } finally {
    await client.end()
  }
}

const lines = (output: string) => [...output.matchAll(/^(kept.*?): psql "(\S+)"(.*)$/gm)]

describe('a test that fails', () => {
  // Catches a fixture that drops before the verdict is known, one that keeps what passed, and a line that does not
  // lead to the database.
  test('keeps its database on a given server, and says where it is', async () => {
    const serverUrl = inject('postgresUrl')
    const output = await failingRun({ TEST_POSTGRES: serverUrl })
    expect(output).toMatch(/Tests +3 failed \| 1 passed/)
    const kept = lines(output).map(([, , url]) => new URL(url as string))
    onTestFinished(async () => {
      const client = new Client({ connectionString: serverUrl })
      await client.connect()
      for (const { pathname } of kept) await dropDatabase(client, pathname.slice(1))
      await client.end()
    })
    // psql asks for the password of a server that is not ours; output is kept in logs.
    expect(kept.map((url) => url.password)).toEqual(['', '', ''])
    const owner = kept[0]?.pathname.slice(1, 12)
    const inServer = await query(
      serverUrl,
      `select shobj_description(oid, 'pg_database'), datname from pg_database where starts_with(datname, '${owner}')
       order by oid`,
    )
    expect(inServer).toEqual([
      ['kept: fails', kept[0]?.pathname.slice(1)],
      ['kept: fails softly', kept[1]?.pathname.slice(1)],
      ['kept: is given up while it waits for its database', kept[2]?.pathname.slice(1)],
    ])
  })

  // Catches the promise that can't be kept: the embedded server ends with the run, and its databases with it.
  test('says how to keep it when the server ends with the run', async () => {
    const output = await failingRun({ TEST_POSTGRES: 'embedded', KEEP_POSTGRES: '' })
    const [first] = lines(output)
    expect(first?.[1]).toBe('kept until this run ends')
    expect(first?.[3]).toBe(' (KEEP_POSTGRES=1 leaves the server running)')
  })

  test('can be looked at after the run with KEEP_POSTGRES=1', async () => {
    const output = await failingRun({ TEST_POSTGRES: 'embedded', KEEP_POSTGRES: '1' })
    const endedBy = /to end it: (.*)/.exec(output)?.[1]
    onTestFinished(
      () => new Promise<void>((resolve) => execFile('sh', ['-c', endedBy as string], () => resolve())),
    )
    const kept = lines(output)
    expect(kept.map(([, words]) => words)).toEqual(['kept', 'kept', 'kept'])
    // Another run's clean-up must not take it for a crashed run's.
    await removeLeftovers()
    for (const [, , url] of kept) expect(await query(url as string, 'select 1')).toEqual([[1]])
  })
})

describe('a run that can not have its Postgres', () => {
  test.each([
    [{ TEST_POSTGRES: 'docker' }, /^TEST_POSTGRES is "docker": use container, embedded, or a URL/m],
    [
      { TEST_POSTGRES: 'container', DOCKER_HOST: 'tcp://127.0.0.1:1' },
      /^TEST_POSTGRES=container, but no Docker answered: start Docker/m,
    ],
  ])('says so in one line: %o', async (env, line) => {
    const output = await failingRun(env)
    expect(output).toMatch(line)
    // No stack, and no "no test files found".
    expect(output.trim().split('\n').length).toBeLessThan(5)
  })
})
