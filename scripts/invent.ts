import { randomInt } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { SingleBar } from 'cli-progress'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { Databases } from '../fixtures/postgres/databases.ts'
import { startPostgres } from '../fixtures/postgres/server.ts'
import { UsageError } from '../fixtures/postgres/usage-error.ts'
import { Arena } from '../scenarios/engine/explore/arena.ts'
import { seenAsFound } from '../scenarios/engine/invent/as-found.ts'
import { type Failure, type Invented, invent } from '../scenarios/engine/invent/invent.ts'
import { checkName, formatted, keep } from '../scenarios/engine/invent/keep.ts'
import { renderScenario } from '../scenarios/engine/invent/scenario-file.ts'
import { renderPerformance } from '../scenarios/engine/outcome.ts'
import { outliveReader } from './closed-pipe.ts'
import { msOf } from './duration.ts'

interface Options {
  readonly app: string
  readonly runs?: number
  readonly budget?: number
  readonly seed?: number
  readonly path?: string
  readonly keep?: string
}

const STORIES = 100

/** What stories are called that nobody keeps. */
const NAME = 'invented'

outliveReader()

const command = new Command('invent')
  .description(
    'Makes up stories, with the rows and balances that they owe by a model of its own, and plays each in order, by a drawn delivery plan, and disturbed. The first that is not as told is made as small as it can be, and printed as a scenario file.',
  )
  .option('--runs <n>', `how many stories (default: ${STORIES}; with --budget, as many as it holds)`, countOf)
  .option('--budget <time>', 'stop after it, like 60s or 10m', msOf)
  .option('--seed <n>', 'begin with this number: the same stories (default: another each time)', seedOf)
  .option('--path <path>', 'with --seed: only the one story that a failure printed it for', pathOf)
  .option(
    '--app <app>',
    'repaired, as-found, or a directory of routes like those of the repaired app',
    'repaired',
  )
  .option('--keep <name>', 'write the story that fails into scenarios/regressions/NAME.ts')
  .addHelpText(
    'after',
    `
A run is a story played by one plan. On a Postgres chosen as in the tests (TEST_POSTGRES).

Exit: 0 all as told, 1 a story was not, 2 could not run, or nothing was run, 3 wrong usage.`,
  )
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'invent: ')) })

process.exitCode = await main().catch(explain)

async function main(): Promise<number> {
  await command.parseAsync()
  const options = command.opts<Options>()
  const { path, runs, budget, keep: name } = options
  if (path !== undefined && options.seed === undefined)
    throw new UsageError('--path: give the --seed that it belongs to')
  if (path !== undefined && (runs !== undefined || budget !== undefined)) {
    throw new UsageError('--path plays one story: it takes no --runs and no --budget')
  }
  if (name !== undefined) await checkName(name)
  const app = await appOf(options.app)
  const seed = options.seed ?? randomInt(1_000_000_000)

  const server = await startPostgres()
  console.log(server.says)
  console.log(`seed ${seed}`)
  const databases = new Databases(server.url)
  try {
    const began = performance.now()
    const found = await play(app, databases, { ...options, seed })
    const seconds = (performance.now() - began) / 1_000
    if (found.failure)
      await tellFailure(found.failure, { databases, name, flags: flagsOf(options.app, seed) })
    const sum = `${found.stories} ${found.stories === 1 ? 'story' : 'stories'}, ${found.runs} runs in ${seconds.toFixed(0)} s`
    if (found.runs === 0) {
      console.error(
        `invent: nothing was run: ${path === undefined ? 'the budget is too small' : 'that path holds no story'}`,
      )
      return 2
    }
    console.log(`\n${sum}: ${found.failure ? 'one is not as told' : 'all as told'}`)
    return found.failure ? 1 : 0
  } finally {
    await databases.close()
    await server.stop()
  }
}

async function play(
  app: string,
  databases: Databases,
  { seed, path, runs, budget, keep: name = NAME }: Options & { seed: number },
): Promise<Invented> {
  const database = await databases.create(app === 'as-found' ? 'as-found' : 'unified')
  const arena = await Arena.open(database.url, app)
  const bar = new SingleBar({
    format: '{bar} {stories} stories, {runs} runs, {perSecond} a second{state}',
    stream: process.stderr,
    noTTYOutput: false,
  })
  try {
    const red = await arena.redAsInstalled()
    if (red.length > 0) throw new Error(`the database is red before anything is played: ${red.join(', ')}`)
    const began = performance.now()
    const stories = runs ?? (budget === undefined ? STORIES : Number.MAX_SAFE_INTEGER)
    const until = budget === undefined ? Number.POSITIVE_INFINITY : began + budget
    bar.start(1, 0, { stories: 0, runs: 0, perSecond: 0, state: '' })
    return await invent(arena, {
      seed,
      path,
      stories,
      until,
      name,
      // The Data API, through which the app as found reaches Postgres, does not outlive them.
      faults: app !== 'as-found',
      onRun: (state) => {
        const ms = performance.now() - began
        bar.update(Math.min(1, Math.max(state.stories / stories, budget === undefined ? 0 : ms / budget)), {
          stories: state.stories,
          runs: state.runs,
          perSecond: (state.runs / (ms / 1_000)).toFixed(1),
          state: state.isFailing ? ', one is not as told: it is made smaller' : '',
        })
      },
    })
  } finally {
    bar.stop()
    await arena.close()
  }
}

/** What is not as told: its timeline, the lines that play it again and that keep it, and the story as a file. */
async function tellFailure(
  { run, path, isCut }: Failure,
  {
    databases,
    name,
    flags,
  }: { readonly databases: Databases; readonly name: string | undefined; readonly flags: string },
): Promise<void> {
  const { story, plan } = run.performance
  const again = `npm run invent --${flags} --path ${path}`
  console.log(`\n${renderPerformance(run.performance)}`)
  for (const complaint of run.complaints) console.log(`  ✗ ${complaint}`)
  if (isCut) console.log('  time was up: without --budget it becomes smaller')
  console.log(`  to play it again: ${again}`)
  const asFound = await seenAsFound(databases, story)
  const text = renderScenario({ story: { ...story, asFound }, plan, complaints: run.complaints })
  if (name === undefined) {
    console.log(`  to keep it:       ${again} --keep NAME\n\n${await formatted(text)}`)
    return
  }
  const file = await keep(name, text)
  console.log(
    `  kept in ${relative(process.cwd(), file)}: say there in a line which wrong implementation it catches`,
  )
}

function flagsOf(app: string, seed: number): string {
  return `${app === 'repaired' ? '' : ` --app ${app}`} --seed ${seed}`
}

/** Throws UsageError where no app is. */
async function appOf(app: string): Promise<string> {
  if (app === 'repaired' || app === 'as-found') return app
  const isDirectory = await stat(app).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (!isDirectory) throw new UsageError(`--app ${app}: give repaired, as-found, or a directory of routes`)
  for (const route of ['stripe/webhook', 'admin/users/adjust-tokens', 'ai/use']) {
    const files = await readdir(join(app, 'api', route)).catch(() => [])
    if (!files.some((file) => /^route\.[jt]s$/.test(file)))
      throw new UsageError(
        `--app ${app}: has no api/${route}/route.ts, which the stories that are made up need`,
      )
  }
  return resolve(app)
}

function countOf(value: string): number {
  if (!/^[1-9]\d{0,6}$/.test(value)) throw new InvalidArgumentError('must be a number from 1')
  return Number(value)
}

function seedOf(value: string): number {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError('must be a number of at most nine digits')
  return Number(value)
}

function pathOf(value: string): string {
  if (!/^\d+(:\d+)*$/.test(value))
    throw new InvalidArgumentError('must be numbers with colons, as a failure prints it')
  // The stories before it are made too.
  if (Number(value.split(':')[0]) >= 100_000)
    throw new InvalidArgumentError('no story comes so late: below 100000')
  return value
}

function explain(error: unknown): number {
  // Commander has said it already; --help is no error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 3
  console.error(`invent: ${error instanceof Error ? error.message : String(error)}`)
  return error instanceof UsageError ? 3 : 2
}
