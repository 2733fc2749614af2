import { join } from 'node:path'
import { SingleBar } from 'cli-progress'
import { Command, CommanderError } from 'commander'
import { readCatalogue } from '../audits/catalogue.ts'
import { UsageError } from '../audits/errors.ts'
import { readMutants } from '../fixtures/app/mutants.ts'
import { Databases } from '../fixtures/postgres/databases.ts'
import { UsageError as PostgresUsageError, startPostgres } from '../fixtures/postgres/server.ts'
import { complaintsAbout, matrixOf, tryEverywhere } from '../scenarios/engine/data-faults/matrix.ts'
import { renderMatrix, renderSums } from '../scenarios/engine/data-faults/render.ts'
import { WORLDS } from '../scenarios/engine/data-faults/worlds.ts'
import { outliveReader } from './closed-pipe.ts'
import { msOf } from './duration.ts'
import { Interruption } from './interruption.ts'
import { playMutants } from './mutants/play.ts'
import { renderScores } from './mutants/render.ts'
import { WORKERS } from './workers.ts'

const BUDGET_MS = 600_000

outliveReader()

const command = new Command('mutants')
  .description(
    'Plays the stories against each mutant of the repaired app and of the ledger’s functions (fixtures/app/mutants), and prints what kills it, and what the audit alone sees. With --data: wrong values in every column of the ledger, in the healthy ledger of every story.',
  )
  .argument('[mutant...]', 'names of mutants; none: all of them')
  .option('--budget <time>', 'how long a mutant may live, like 60s (default: 10m)', msOf)
  .option('--data', 'faults in the data, derived from the columns of the tables; takes some minutes')
  .addHelpText(
    'after',
    `
Exit: 0 each mutant is killed; each fault is caught, refused by the database, or harmless for a reason that is written
down, 1 one is not, or such a reason is wrong, 2 could not run, or one could not be judged, 3 wrong usage, 130 interrupted
(Ctrl-C): the mutants that were played are printed.`,
  )
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'mutants: ')) })

process.exitCode = await main().catch(explain)

async function main(): Promise<number> {
  await command.parseAsync()
  const { data, budget = BUDGET_MS } = command.opts<{ data?: true; budget?: number }>()
  if (data && command.args.length > 0)
    throw new UsageError('--data makes its own faults: it takes no mutants')
  return data ? dataFaults() : mutants(command.args, budget)
}

async function mutants(names: readonly string[], budgetMs: number): Promise<number> {
  const all = await readMutants()
  const unknown = names.find((name) => !all.some((mutant) => mutant.name === name))
  if (unknown !== undefined)
    throw new UsageError(`no mutant "${unknown}": fixtures/app/mutants has one a file`)
  const interruption = new Interruption()
  const wanted = names.length === 0 ? all : all.filter(({ name }) => names.includes(name))
  const server = await startPostgres()
  console.log(server.says)
  const bar = new SingleBar({
    format: 'mutants {bar} {value}/{total}, {survived} survived, {eta_formatted} left',
    barsize: 30,
    clearOnComplete: true,
    hideCursor: true,
    noTTYOutput: false,
  })
  let survived = 0
  try {
    bar.start(wanted.length, 0, { survived })
    const played = await playMutants(wanted, {
      url: server.url,
      workers: WORKERS,
      budgetMs,
      signal: interruption.signal,
      onPlayed: (one) => {
        if ('score' in one && one.score.killed === undefined) survived++
        bar.increment({ survived })
      },
    })
    bar.stop()
    console.log(renderScores(played))
    if (interruption.exit !== undefined) {
      console.error(`mutants: interrupted: ${wanted.length - played.length} were not played to their end`)
      return interruption.exit
    }
    if (played.some((one) => 'problem' in one)) return 2
    return survived === 0 ? 0 : 1
  } finally {
    bar.stop()
    await server.stop()
  }
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
