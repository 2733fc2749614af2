import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { audit } from '../audits/audit.ts'
import { readCatalogue } from '../audits/catalogue.ts'
import { parseEvidence } from '../audits/evidence.ts'
import type { AppRevision } from '../fixtures/app/app.ts'
import { isolationCost } from '../fixtures/postgres/bench.ts'
import { Databases } from '../fixtures/postgres/databases.ts'
import { startPostgres } from '../fixtures/postgres/server.ts'
import { deliveriesPerSecond } from '../scenarios/engine/delivery-rate.ts'
import { fillUnified } from '../scenarios/engine/healthy.ts'
import { largeLedger } from './bench/large-ledger.ts'
import { road } from './bench/road.ts'
import { outliveReader } from './closed-pipe.ts'

outliveReader()

const command = new Command('bench')
  .description(
    'Measures what users wait for, on a Postgres chosen as in the tests (TEST_POSTGRES). Figures, no verdict. The audit of large ledgers takes half an hour and 8 GB where the data of Postgres is: in memory, for a container.',
  )
  .option(
    '--rows <number>',
    'measure the audit of a ledger of so many rows, and nothing else; repeatable (1,000,000, 5,000,000 and 10,000,000 without it)',
    rowsOf,
  )
  .option(
    '--road <number>',
    'measure unify on so many legacy rows while the app writes on, and nothing else; repeatable (1,000,000 without it)',
    rowsOf,
  )
await command.parseAsync()
const chosen = command.opts<{ rows?: readonly number[]; road?: readonly number[] }>()
const all = chosen.rows === undefined && chosen.road === undefined

const server = await startPostgres()
console.log(server.says)
const databases = new Databases(server.url)
try {
  if (all) await small()
  for (const size of chosen.road ?? (all ? [1_000_000] : [])) await road(databases, size)
  for (const size of chosen.rows ?? (all ? [1_000_000, 5_000_000, 10_000_000] : [])) {
    await largeLedger(databases, size)
  }
} finally {
  await databases.close()
  await server.stop()
}

async function small(): Promise<void> {
  const { first, create, drop, together, tests } = await isolationCost(server.url)
  print(
    'a database for one test',
    `${ms(together.p50)} (p95 ${ms(together.p95)}); create ${ms(create.p50)}, drop ${ms(drop.p50)}; ${tests} tests`,
  )
  print('the first one, template and all', ms(first))

  for (const [app, revision] of [
    ['repaired', 'unified'],
    ['as-found', 'as-found'],
  ] as const satisfies readonly [AppRevision, string][]) {
    for (const atOnce of [1, 8]) {
      const database = await databases.create(revision)
      const rate = await deliveriesPerSecond(database.url, app, { deliveries: 300, atOnce })
      await database.drop()
      print(
        `deliveries of a paid pack, ${app}`,
        `${rate.toFixed(0)} a second, HTTP to commit, ${atOnce} at once`,
      )
    }
  }

  const database = await databases.create('as-found')
  const evidence = parseEvidence(await fillUnified(database.url), 'the evidence of the healthy database')
  const catalogue = await readCatalogue(join(import.meta.dirname, '../audits/invariants'))
  const began = performance.now()
  const report = await audit({ targets: [{ name: 'bench', url: database.url }], catalogue, evidence })
  print(
    'the whole catalogue on a small database',
    `${ms(performance.now() - began)}, ${catalogue.invariants.length} rules, verdict: ${report.verdict}`,
  )
  await database.drop()

  const { firstLine, all, exit } = await demo()
  print('npm start, first line', ms(firstLine))
  print('npm start, all of it', `${ms(all)}, exit ${exit}`)
}

function rowsOf(text: string, before: readonly number[] = []): number[] {
  const rows = Number(text.replaceAll('_', ''))
  if (!Number.isSafeInteger(rows) || rows <= 0 || rows % 1_000 !== 0) {
    throw new InvalidArgumentError('It is a whole number of thousands, such as 1000000.')
  }
  return [...before, rows]
}

function print(what: string, figure: string): void {
  console.log(`${what.padEnd(44)} ${figure}`)
}

function ms(milliseconds: number): string {
  return milliseconds < 1_000 ? `${milliseconds.toFixed(1)} ms` : `${(milliseconds / 1_000).toFixed(1)} s`
}

/** The demo as a user starts it, on the embedded Postgres. */
function demo(): Promise<{ firstLine: number; all: number; exit: number | null }> {
  return new Promise((resolve, reject) => {
    const began = performance.now()
    let firstLine = Number.NaN
    const child = spawn(process.execPath, [join(import.meta.dirname, 'start.ts')], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    child.stdout.once('data', () => {
      firstLine = performance.now() - began
    })
    child.stdout.resume()
    child.on('error', reject)
    child.on('close', (exit) => resolve({ firstLine, all: performance.now() - began, exit }))
  })
}
