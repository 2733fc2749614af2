import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { type Catalogue, readCatalogue } from '../../audits/catalogue.ts'
import { relationsOf } from '../../audits/relations.ts'
import { breakLargeLedger, fillLargeLedger } from '../../fixtures/large-ledger/fill.ts'
import type { Databases } from '../../fixtures/postgres/databases.ts'
import { type Night, Nights } from './nights.ts'

const AUDITS = join(import.meta.dirname, '../../audits')

/** Faults that lie in no row, so that these rules find something as well. */
const NOT_IN_ROWS = [
  ...['balance-column-open', 'function-open-to-anon', 'insert-policy-back', 'legacy-table-writable'],
  ...['overload-added', 'row-security-off', 'trigger-swallows', 'view-drops-use'],
]

/** What the audit takes on a ledger of so many rows, healthy and with one row in ten violating. Prints figures. */
export async function largeLedger(databases: Databases, rows: number): Promise<void> {
  const catalogue = await readCatalogue(join(AUDITS, 'invariants'))
  const database = await databases.create('unified')
  const nights = await Nights.of(database.url)
  try {
    const began = performance.now()
    await fillLargeLedger(database.url, { rows, seed: 42n, ends: new Date() })
    print(`\n${count(rows)} rows, ${count(rows / 10)} users: filled in ${seconds(performance.now() - began)}`)
    const scan = await scanTimes(database.url, catalogue)
    const files = await temporaryFiles(database.url)
    const first = await files.during(() => nights.next())
    const healthy = await files.during(() => nights.next())
    await breakLargeLedger(database.url)
    for (const name of NOT_IN_ROWS)
      await execute(database.url, await readFile(join(AUDITS, 'breaks', `${name}.sql`), 'utf8'))
    const broken = await files.during(() => nights.next())
    await files.close()

    print(
      `one parallel scan of each table that the rules read: ${seconds(scan.all)} (${scan.each.join(', ')})`,
    )
    const runs = {
      'first night, every select': first,
      'a healthy night': healthy,
      'one row in ten violates': broken,
    }
    for (const [name, { value, bytes }] of Object.entries(runs)) printNight(name, value, bytes, scan.all)
    printRules([first.value, healthy.value, broken.value])
  } finally {
    await nights.remove()
    await database.drop()
  }
}

function printNight(name: string, { ms, peak, report }: Night, bytes: number, scan: number): void {
  const rules = report.targets[0]?.invariants ?? []
  const some = (status: string) => rules.filter((rule) => rule.status === status).length
  print(
    `  ${name.padEnd(28)}${seconds(ms).padStart(8)} = ${(ms / scan).toFixed(1)} × that scan; ${megabytes(peak)} in the client; ` +
      `temporary files ${megabytes(bytes)}; ${some('pass')} pass, ${some('fail')} fail, ${some('error')} error`,
  )
}

/** Milliseconds of each rule in each night; what a screen answered has none of its own. */
function printRules(nights: readonly Night[]): void {
  print(
    `  ${'rule'.padEnd(36)}${['first', 'healthy', 'violating'].map((name) => name.padStart(12)).join('')}`,
  )
  const rules = nights.map(({ report }) => report.targets[0]?.invariants ?? [])
  for (const { id } of rules[0] ?? []) {
    const cells = rules.map((all) => {
      const rule = all.find((one) => one.id === id)
      return rule?.judged_by === 'screen' ? 'screen' : rule?.status === 'error' ? 'error' : `${rule?.ms} ms`
    })
    print(`  ${id.padEnd(36)}${cells.map((cell) => cell.padStart(12)).join('')}`)
  }
}

async function scanTimes(
  url: string,
  catalogue: Catalogue,
): Promise<{ all: number; each: readonly string[] }> {
  const applicable = catalogue.invariants.filter(
    ({ stages, needsEvidence }) => stages.includes('unify') && !needsEvidence,
  )
  const client = await connect(url)
  try {
    await client.query(
      'set enable_indexscan = off; set enable_indexonlyscan = off; set enable_bitmapscan = off; set jit = off',
    )
    let all = 0
    const each: string[] = []
    for (const table of (await relationsOf(applicable)).keys()) {
      const { rows } = await client.query<{ kind: string }>(
        'select relkind as kind from pg_class where oid = $1::regclass',
        [table],
      )
      if (rows[0]?.kind !== 'r') continue
      const times: number[] = []
      for (let again = 0; again < 5; again++) {
        const began = performance.now()
        await client.query(`select count(*) from ${table}`)
        times.push(performance.now() - began)
      }
      const median = times.toSorted((a, b) => a - b)[2] ?? Number.NaN
      all += median
      each.push(`${table} ${seconds(median)}`)
    }
    return { all, each }
  } finally {
    await client.end()
  }
}

/** Measures what is written to temporary files while something is done. */
async function temporaryFiles(url: string) {
  const client = await connect(url)
  const bytes = async () => {
    const { rows } = await client.query<{ bytes: string }>(
      'select temp_bytes as bytes from pg_stat_database where datname = current_database()',
    )
    return Number(rows[0]?.bytes)
  }
  return {
    async during<T>(work: () => Promise<T>): Promise<{ value: T; bytes: number }> {
      const before = await bytes()
      const value = await work()
      return { value, bytes: (await bytes()) - before }
    },
    close: () => client.end(),
  }
}

async function execute(url: string, sql: string): Promise<void> {
  const client = await connect(url)
  await client.query(sql).finally(() => client.end())
}

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url })
  await client.connect()
  return client
}

const print = (line: string) => console.log(line)
const count = (number: number) => number.toLocaleString('en-US')
const seconds = (ms: number) => `${(ms / 1_000).toFixed(ms < 1_000 ? 3 : 1)} s`
const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`
