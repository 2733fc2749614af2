import { test as base, inject } from 'vitest'
import type { AppRevision } from '../../fixtures/app/app.ts'
import { type Database, Databases, type Source } from '../../fixtures/postgres/databases.ts'
import { Arena } from '../engine/explore/arena.ts'

/**
 * vitest's `test` with databases:
 * - `database(source)`: a database of this test alone; dropped when it passes, kept (and named) when it fails;
 * - `arena(app)`: the worker's arena of an app, in which story after story is played;
 * - `databases`: the worker's `Databases`, for templates and for databases whose end the test decides itself.
 */
export const test = base
  // biome-ignore lint/correctness/noEmptyPattern: vitest reads from the pattern what a fixture needs
  .extend('databases', { scope: 'worker' }, async ({}, { onCleanup }) => {
    const databases = new Databases(inject('postgresUrl'), { run: inject('postgresRun').owner })
    onCleanup(() => databases.close())
    return databases
  })
  .extend('arena', { scope: 'worker' }, async ({ databases }, { onCleanup }) => {
    const stripeMockUrl = inject('stripeMockUrl')
    const opened = new Map<AppRevision, Promise<Arena>>()
    onCleanup(async () => {
      for (const arena of opened.values()) await arena.then((one) => one.close())
    })
    return (app: AppRevision): Promise<Arena> => {
      const there = opened.get(app)
      if (there !== undefined) return there
      const opening = databases
        .create(app === 'as-found' ? 'as-found' : 'unified')
        .then(({ url }) => Arena.open(url, app, stripeMockUrl === null ? {} : { stripeMockUrl }))
      opened.set(app, opening)
      return opening
    }
  })
  .extend('database', async ({ databases, task, onTestFinished }) => {
    // Promises, so that a test that is given up while it waits for its database keeps that too.
    const made: Promise<Database>[] = []
    onTestFinished(async () => {
      const failed = task.result?.state === 'fail'
      for (const making of await Promise.allSettled(made)) {
        if (making.status === 'rejected') continue
        const database = making.value
        if (!failed) await database.drop()
        else {
          await database.keep(task.fullTestName)
          console.log(whereItIs(database))
        }
      }
    })
    return (source: Source): Promise<Database> => {
      const making = databases.createAny(source)
      made.push(making)
      return making
    }
  })

/** The line that shows a kept database, and, where the server ends with the run, how to keep that too. */
function whereItIs(database: Database): string {
  const { way, stays } = inject('postgresRun')
  const url = new URL(database.url)
  // Our own servers' passwords are thrown away with them; psql asks for somebody else's.
  if (way === 'server') url.password = ''
  const line = `psql "${url.href}"`
  return stays
    ? `kept: ${line}`
    : `kept until this run ends: ${line} (KEEP_POSTGRES=1 leaves the server running)`
}
