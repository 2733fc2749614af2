import { join } from 'node:path'
import { Command, CommanderError, Option } from 'commander'
import { type Break, type Catalogue, readBreaks, readCatalogue } from '../audits/catalogue.ts'
import { UsageError } from '../audits/errors.ts'
import { Databases } from '../fixtures/postgres/databases.ts'
import { UsageError as PostgresUsageError, startPostgres } from '../fixtures/postgres/server.ts'
import { readSchema, type Schema } from '../fixtures/schema/schema.ts'
import { renderInstalled, renderLeft, templateOf } from '../scenarios/engine/given-schema.ts'
import { applyBreak, healthyDatabases, type Kill } from '../scenarios/engine/kill-matrix.ts'
import { killMatrixOn } from '../scenarios/engine/matrix-on.ts'
import { outliveReader } from './closed-pipe.ts'

const AUDITS = join(import.meta.dirname, '../audits')

outliveReader()

const command = new Command('invariants')
  .description(
    'Applies every break to a healthy database, and prints which invariants it turns red: no invariant without a break, no break that turns nothing red.',
  )
  .addOption(
    new Option(
      '--schema <path>',
      'judge the healthy rows and their breaks in this schema: a folder of Supabase migrations, or a file made by pg_dump --schema-only',
    ).env('SCHEMA'),
  )
  .addHelpText(
    'after',
    '\nExit: 0 all as declared, 1 a break did something else, or healthy rows are red in that schema, 2 could not run (that schema refuses healthy rows, say), 3 wrong usage.',
  )
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'invariants: ')) })

process.exitCode = await main().catch(explain)

async function main(): Promise<number> {
  await command.parseAsync()
  const { schema: path } = command.opts<{ schema?: string }>()
  const schema = path === undefined ? undefined : await readSchema(path)
  const catalogue = await readCatalogue(join(AUDITS, 'invariants'))
  const breaks = await readBreaks(join(AUDITS, 'breaks'), catalogue)
  const server = await startPostgres()
  console.log(server.says)
  const databases = new Databases(server.url)
  try {
    return schema === undefined
      ? await judgeOwn(databases, catalogue, breaks)
      : await judgeGiven(databases, catalogue, breaks, schema)
  } finally {
    await databases.close()
    await server.stop()
  }
}

async function judgeOwn(
  databases: Databases,
  catalogue: Catalogue,
  breaks: readonly Break[],
): Promise<number> {
  const healthy = await healthyDatabases(databases)
  const kills: Kill[] = []
  for (const fault of breaks) kills.push(...(await applyBreak(fault, { databases, healthy, catalogue })))
  const unproven = print(catalogue, kills)
  const complaints = kills.flatMap(complaintsOf)
  console.log(
    `\n${catalogue.invariants.length} invariants, ${breaks.length} breaks, ${kills.length} broken databases`,
  )
  for (const complaint of complaints) console.log(`NOT AS DECLARED  ${complaint}`)
  return complaints.length + unproven.length === 0 ? 0 : 1
}

async function judgeGiven(
  databases: Databases,
  all: Catalogue,
  breaks: readonly Break[],
  schema: Schema,
): Promise<number> {
  const template = await templateOf(databases, schema)
  const installed = template.notes
  for (const line of renderInstalled(schema, installed)) console.log(line)
  const matrix = await killMatrixOn(databases, template, { catalogue: all, breaks })
  for (const line of renderLeft(matrix.left)) console.log(line)
  const unproven = print(matrix.catalogue, matrix.kills)
  const held = matrix.kills.filter(({ refusedBy }) => refusedBy !== undefined)
  for (const { break: fault, refusedBy } of held) {
    console.log(`the database itself refuses ${fault.id} (${fault.title}): ${refusedBy}`)
  }
  const complaints = matrix.kills.filter(({ refusedBy }) => refusedBy === undefined).flatMap(complaintsOf)
  console.log(
    `\n${matrix.catalogue.invariants.length} invariants have meaning, ${unproven.length} of them have no break at this stage, ` +
      `${matrix.kills.length} breaks, ${held.length} refused by the database`,
  )
  for (const red of matrix.red) console.log(`RED ON A HEALTHY LEDGER  ${red}`)
  for (const complaint of complaints) console.log(`NOT AS DECLARED  ${complaint}`)
  return complaints.length + matrix.red.length === 0 ? 0 : 1
}

/** What turns each rule red; the ids of those that nothing does. */
function print({ invariants }: Catalogue, kills: readonly Kill[]): string[] {
  const unproven: string[] = []
  for (const { id, severity, title } of invariants) {
    console.log(`\n${id} (${severity}): ${title}`)
    const by = kills.filter(({ red }) => red.includes(id))
    for (const { break: fault, stage } of by) console.log(`  ✗ ${fault.id} (${stage}): ${fault.title}`)
    if (by.length === 0) console.log('  no break turns it red')
    if (by.length === 0) unproven.push(id)
  }
  return unproven
}

function complaintsOf({ break: fault, stage, complaints }: Kill): string[] {
  return complaints.map((one) => `${fault.id} (${stage}): ${one}`)
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 3
  console.error(`invariants: ${error instanceof Error ? error.message : String(error)}`)
  return error instanceof UsageError || error instanceof PostgresUsageError ? 3 : 2
}
