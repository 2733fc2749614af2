import { join } from 'node:path'
import { SingleBar } from 'cli-progress'
import { Command, CommanderError } from 'commander'
import { readCatalogue } from '../audits/catalogue.ts'
import { UsageError } from '../audits/errors.ts'
import { Databases } from '../fixtures/postgres/databases.ts'
import { UsageError as PostgresUsageError, startPostgres } from '../fixtures/postgres/server.ts'
import { complaintsAbout, matrixOf, tryEverywhere } from '../scenarios/engine/data-faults/matrix.ts'
import { renderMatrix, renderSums } from '../scenarios/engine/data-faults/render.ts'
import { WORLDS } from '../scenarios/engine/data-faults/worlds.ts'
import { outliveReader } from './closed-pipe.ts'

outliveReader()

const command = new Command('mutants')
  .description(
    'Makes faults that nobody wrote by hand, and prints who catches them. With --data: wrong values in every column of the ledger, in the healthy ledger of every story.',
  )
  .option('--data', 'faults in the data, derived from the columns of the tables; takes some minutes')
  .addHelpText(
    'after',
    '\nExit: 0 each fault is caught, refused by the database, or harmless for a reason that is written down, 1 one is not, or such a reason is wrong, 2 could not run, 3 wrong usage.',
  )
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'mutants: ')) })

process.exitCode = await main().catch(explain)

async function main(): Promise<number> {
  await command.parseAsync()
  const { data } = command.opts<{ data?: true }>()
  if (!data) throw new UsageError('only --data exists so far: npm run mutants -- --data')
  return dataFaults()
}

async function dataFaults(): Promise<number> {
  const catalogue = await readCatalogue(join(import.meta.dirname, '../audits/invariants'))
  const server = await startPostgres()
  console.log(server.says)
  const databases = new Databases(server.url)
  const bar = new SingleBar({
    format: 'faults {bar} {value}/{total} ledgers, {eta_formatted} left',
    barsize: 30,
    clearOnComplete: true,
    hideCursor: true,
    noTTYOutput: false,
  })
  try {
    bar.start(WORLDS.length, 0)
    const tried = await tryEverywhere(WORLDS, { databases, catalogue }, (done) => bar.update(done))
    bar.stop()
    const cells = matrixOf(tried, catalogue)
    console.log(`${renderMatrix(cells)}\n\n${renderSums(tried, cells)}`)
    const complaints = complaintsAbout(tried, { everywhere: true })
    for (const complaint of complaints) console.log(`NOT AS DECLARED  ${complaint}`)
    return complaints.length === 0 ? 0 : 1
  } finally {
    bar.stop()
    await databases.close()
    await server.stop()
  }
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 3
  console.error(`mutants: ${error instanceof Error ? error.message : String(error)}`)
  return error instanceof UsageError || error instanceof PostgresUsageError ? 3 : 2
}
