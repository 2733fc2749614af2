import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { Command, CommanderError } from 'commander'
import { Client } from 'pg'
import colors from 'picocolors'
import { audit } from '../audits/audit.ts'
import { readCatalogue } from '../audits/catalogue.ts'
import { type Evidence, entitlements, parseEvidence } from '../audits/evidence.ts'
import type { Report } from '../audits/reports/report.ts'
import { renderTerminal } from '../audits/reports/terminal.ts'
import { adjust } from '../fixtures/migrations/adjust.ts'
import { differences } from '../fixtures/migrations/differences.ts'
import { toCsv } from '../fixtures/migrations/reviewed.ts'
import { migrate } from '../fixtures/migrations/run.ts'
import { parseTarget } from '../fixtures/migrations/target.ts'
import { adjustmentInWords, differencesInWords, migrationInWords } from '../fixtures/migrations/words.ts'
import { Databases } from '../fixtures/postgres/databases.ts'
import { parseTestPostgres, startPostgres, UsageError } from '../fixtures/postgres/server.ts'
import { renderDigest } from '../scenarios/engine/digest.ts'
import { renderPerformance } from '../scenarios/engine/outcome.ts'
import { type Performance, Play } from '../scenarios/engine/play.ts'
import { playFirstMonth, playSecondMonth } from '../scenarios/engine/two-months.ts'
import { renderWhereabouts, whereabouts } from '../scenarios/engine/whereabouts.ts'
import { outliveReader } from './closed-pipe.ts'

// isTTY is undefined, not false, where the output is piped.
const color = colors.isColorSupported && process.stdout.isTTY === true
const paint = colors.createColors(color)
const OUT = join(import.meta.dirname, '../out/start')

outliveReader()

const command = new Command('start')
  .description(
    'The main job on a real Postgres: Stripe events against the app as it was found, the audit, the repair, the audit again, the next month against the repaired app.',
  )
  .addHelpText(
    'after',
    `
It takes the embedded Postgres, or the one that TEST_POSTGRES names (container, embedded, postgres://…), on a database
of its own that it drops again. What it writes for you to read: ${relative('.', OUT)}/

Exit: 0 all four acts as they must be, 1 one is not, 2 could not run, 3 wrong usage.`,
  )
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'start: ')) })

process.exitCode = await main().catch(explain)

async function main(): Promise<number> {
  await command.parseAsync()
  act(1, 'A month against the app as it was found')
  const server = await startPostgres(parseTestPostgres(process.env.TEST_POSTGRES) ?? { way: 'embedded' })
  console.log(server.says)
  const databases = new Databases(server.url)
  try {
    const database = await databases.create('as-found')
    const wrong = await perform(database.url)
    await database.drop()
    for (const line of wrong) console.log(paint.red(`NOT AS IT MUST BE  ${line}`))
    return wrong.length === 0 ? 0 : 1
  } finally {
    await databases.close()
    await server.stop()
  }
}

/** The four acts; what is not as it must be, a line each. */
async function perform(databaseUrl: string): Promise<string[]> {
  const wrong: string[] = []
  await rm(OUT, { recursive: true, force: true })
  await mkdir(OUT, { recursive: true })
  const play = await Play.open({ databaseUrl })
  try {
    const asFound = await play.startApp('as-found')
    const performances = await playFirstMonth(play, asFound).finally(() => asFound.close())
    for (const performance of performances)
      console.log(`${performance.story.title}\n${renderDigest(performance)}\n`)
    await keepTimeline('timeline-1-as-found.txt', performances)
    const [first] = performances
    if (first === undefined) throw new Error('the first month was not played')

    act(2, 'The audit of what it left')
    await showWhereabouts(databaseUrl, play)
    const found = await judge(databaseUrl, play, 'audit-1-as-found')
    if (found.verdict !== 'violations')
      wrong.push('act 2: the audit found no violation in what the app as found left')

    act(3, 'The repair of the same database')
    const target = parseTarget(databaseUrl)
    say(migrationInWords(await migrate(target, 'view')))
    say(migrationInWords(await migrate(target, 'unify')))
    const listed = await differences(target, entitlements(evidenceOf(play)))
    say(differencesInWords(listed))
    const csv = toCsv(listed)
    await writeFile(join(OUT, 'differences.csv'), csv)
    console.log(
      `\nHere somebody reviews ${relative('.', join(OUT, 'differences.csv'))}; every line is taken.\n`,
    )
    say(adjustmentInWords(await adjust(target, Buffer.from(csv))))
    const repaired = await judge(databaseUrl, play, 'audit-2-repaired')
    if (repaired.verdict !== 'ok') wrong.push('act 3: the audit is not green after the repair')

    act(4, 'The next month against the repaired app, every delivery twice')
    const app = await play.startApp('repaired')
    const second = await playSecondMonth(play, app, first).finally(() => app.close())
    console.log(`${second.story.title}\n${renderDigest(second)}\n`)
    await keepTimeline('timeline-2-repaired.txt', [second])
    wrong.push(...second.complaints.map((complaint) => `act 4: ${complaint}`))
    const last = await judge(databaseUrl, play, 'audit-3-next-month')
    if (last.verdict !== 'ok') wrong.push('act 4: the audit is not green after the next month')

    console.log(`\n${paint.bold('In short')}`)
    console.log(`  app as found      ${summary(found)}`)
    console.log(`  after the repair  ${summary(repaired)}`)
    console.log(`  the next month    ${summary(last)}`)
    console.log(`  the reports, the evidence and the reviewed file are in ${relative('.', OUT)}/`)
    return wrong
  } finally {
    await play.close()
  }
}

async function showWhereabouts(databaseUrl: string, play: Play): Promise<void> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    console.log('Grants by the evidence, and where they are (the question of the token audit):\n')
    console.log(renderWhereabouts(await whereabouts(client, entitlements(evidenceOf(play)).entitlements)))
    console.log()
  } finally {
    await client.end()
  }
}

/** Audits the database by all that was played, prints the report, and keeps it. */
async function judge(databaseUrl: string, play: Play, name: string): Promise<Report> {
  const report = await audit({
    targets: [{ name: 'shop', url: databaseUrl }],
    catalogue: await readCatalogue(join(import.meta.dirname, '../audits/invariants')),
    evidence: evidenceOf(play),
    settle: false,
  })
  await writeFile(join(OUT, 'evidence.json'), `${JSON.stringify(play.evidence(), null, 2)}\n`)
  await writeFile(join(OUT, `${name}.json`), `${JSON.stringify(report, null, 2)}\n`)
  console.log(renderTerminal(report, { color: color }))
  return report
}

function evidenceOf(play: Play): Evidence {
  return parseEvidence(JSON.stringify(play.evidence()), 'what was played')
}

function summary({ verdict, targets }: Report): string {
  const rules = targets.flatMap(({ invariants }) => invariants)
  const red = rules.filter(({ status }) => status === 'fail')
  const missing = rules.find(({ id }) => id === 'evidence-has-grant')
  const grants = missing?.violations
    ? `; ${missing.violations} grants of ${group(missing.impact)} tokens, owed to ${missing.users} users, are not in token_usage`
    : ''
  return `${verdict}: ${red.length} of ${rules.length} rules found something${grants}`
}

function group(digits: string | null): string {
  return BigInt(digits ?? 0).toLocaleString('en')
}

/** Every delivery with its answer and what it wrote. */
async function keepTimeline(name: string, performances: readonly Performance[]): Promise<void> {
  await writeFile(join(OUT, name), `${performances.map(renderPerformance).join('\n')}\n`)
}

function act(number: number, title: string): void {
  console.log(`\n${paint.bold(`── Act ${number}: ${title} `.padEnd(100, '─'))}\n`)
}

function say(lines: readonly string[]): void {
  console.log(`${lines.join('\n')}\n`)
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 3
  console.error(`start: ${error instanceof Error ? error.message : String(error)}`)
  return error instanceof UsageError ? 3 : 2
}
