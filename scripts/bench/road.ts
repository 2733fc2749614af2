import { setTimeout as wait } from 'node:timers/promises'
import { Client } from 'pg'
import { fillAsFound } from '../../fixtures/large-ledger/fill.ts'
import { migrate } from '../../fixtures/migrations/run.ts'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import type { Databases } from '../../fixtures/postgres/databases.ts'
import { OldApp } from './old-app.ts'
import { RoadLocks } from './road-locks.ts'

/** How long the app runs alone, to be compared with. */
const BEFORE_MS = 20_000

/**
 * What unify takes on so many legacy rows, with half as many rows in token_usage, while the app as found writes on: how
 * long each file runs, who waits for its locks and for how long, what the app notices. Prints figures.
 */
export async function road(databases: Databases, rows: number): Promise<void> {
  const database = await databases.create('as-found')
  try {
    const began = performance.now()
    await fillAsFound(database.url, { rows, ends: new Date() })
    print(
      `\n${count(rows)} legacy rows, ${count(rows / 2)} of token_usage, ${count(rows / 20)} users: ` +
        `filled in ${seconds(performance.now() - began)}`,
    )
    const app = await OldApp.start(database.url)
    try {
      await wait(BEFORE_MS)
      const before = app.sinceLast()
      const locks = await RoadLocks.watch(database.url)
      const { steps, changed } = await unify(database.url)
      const waits = await locks.stop()
      const during = app.sinceLast()

      print(`  unify ${seconds([...steps.values()].reduce((sum, ms) => sum + ms, 0))}`)
      for (const [name, ms] of steps) print(`    ${name.padEnd(18)}${seconds(ms).padStart(8)}`)
      const backfill = (steps.get('unify-4-backfill') ?? Number.NaN) / 1_000
      print(`  backfill of ${count(changed)} rows: ${count(Math.round(changed / backfill))} a second`)
      print(`  longest lock against writers ${waits.held.ms.toFixed(0)} ms (${waits.held.what})`)
      print(`  longest wait of a writer     ${waits.waited.ms.toFixed(0)} ms (${waits.waited.what})`)
      print(
        `  locks were looked at         ${count(waits.looks)} times, at most ${waits.gap.toFixed(0)} ms apart`,
      )
      for (const [name, { acts, p50, p99, max }] of Object.entries({ before, during })) {
        print(
          `  the app ${name.padEnd(7)}              p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, ` +
            `max ${max.toFixed(1)} ms, ${count(acts)} acts`,
        )
      }
      await assertNothingLost(database.url)
    } finally {
      await app.stop()
    }
  } finally {
    await database.drop()
  }
}

/** Milliseconds by file, tries that gave up at a lock included, and the rows that the backfill changed. */
async function unify(url: string): Promise<{ steps: ReadonlyMap<string, number>; changed: number }> {
  const steps = new Map<string, number>()
  let last = { name: 'before it, shapes', at: performance.now() }
  const begins = (name: string) => {
    const at = performance.now()
    steps.set(last.name, (steps.get(last.name) ?? 0) + at - last.at)
    last = { name, at }
  }
  const { changed } = await migrate(parseTarget(url), 'unify', { begins })
  begins('')
  return { steps, changed: changed.reduce((sum, { rows }) => sum + Number(rows), 0) }
}

/** Every legacy row has its one counterpart; a fast road that loses rows is none. */
async function assertNothingLost(url: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query<{ left: string; doubled: string }>(
      `select
         (select count(*) from public.token_ledger where source_table <> 'token_usage')::text as left,
         (select count(*) - count(distinct (metadata ->> 'legacy_table', metadata ->> 'legacy_id'))
          from public.token_usage where metadata ->> 'legacy_id' is not null)::text as doubled`,
    )
    const [found] = rows
    if (found?.left !== '0' || found.doubled !== '0') {
      throw new Error(`unify has left ${found?.left} legacy rows and doubled ${found?.doubled}`)
    }
  } finally {
    await client.end()
  }
}

const print = (line: string) => console.log(line)
const count = (number: number) => number.toLocaleString('en-US')
const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`
