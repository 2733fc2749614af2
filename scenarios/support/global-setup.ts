import type { TestProject } from 'vitest/node'
import { Databases } from '../../fixtures/postgres/databases.ts'
import { type PostgresWay, startPostgres, UsageError } from '../../fixtures/postgres/server.ts'
import { readSchema } from '../../fixtures/schema/schema.ts'
import { startStripeMock } from '../../fixtures/stripe/stripe-mock.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** A superuser's URL of the run's Postgres. */
    postgresUrl: string
    /** Whose templates all workers of the run share, and whether a kept database outlives the run. */
    postgresRun: { owner: string; way: PostgresWay; stays: boolean }
    /** null: absent, and the run has said why. */
    stripeMockUrl: string | null
  }
}

/** Services of a run: each is started once, says what it is, and is stopped after the last test. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { SCHEMA } = process.env
  if (SCHEMA) {
    await readSchema(SCHEMA).catch(giveUp)
    console.log(`SCHEMA=${SCHEMA}: the stories and the breaks are played on it; no other test is run`)
  }
  const stop = await Promise.all([postgres(project), stripeMock(project)])
  return async () => {
    for (const one of stop) await one()
  }
}

/** Without its services nothing can be judged: one line, and an exit code that is not "a test failed". */
function giveUp(error: Error): never {
  console.error(error.message)
  process.exit(error instanceof UsageError ? 3 : 2)
}

async function postgres(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres(undefined, { stay: Boolean(process.env.KEEP_POSTGRES) }).catch(giveUp)
  console.log(server.says)
  const run = new Databases(server.url)
  await run.open()
  project.provide('postgresUrl', server.url)
  project.provide('postgresRun', {
    owner: run.owner,
    way: server.way,
    stays: server.way === 'server' || server.endedBy !== undefined,
  })
  return async () => {
    await run.close()
    await server.stop()
    if (server.endedBy) console.log(`Postgres is left running at ${server.url}; to end it: ${server.endedBy}`)
  }
}

async function stripeMock(project: TestProject): Promise<() => Promise<void>> {
  const mock = await startStripeMock().catch(giveUp)
  console.log('absent' in mock ? mock.absent : mock.says)
  project.provide('stripeMockUrl', 'url' in mock ? mock.url : null)
  return async () => {
    if ('stop' in mock) await mock.stop()
  }
}
