import { SingleBar } from 'cli-progress'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { startPostgres } from '../fixtures/postgres/server.ts'
import { UsageError } from '../fixtures/postgres/usage-error.ts'
import { KINDS, KINDS_OF_PROCESSES, type Kind, SAMPLED_KINDS } from '../scenarios/engine/explore/kinds.ts'
import { storiesNamed } from '../scenarios/engine/stories.ts'
import { outliveReader } from './closed-pipe.ts'
import { msOf } from './duration.ts'
import { exploreInParallel, type Found } from './explore/parallel.ts'
import { Interruption } from './interruption.ts'
import { WORKERS } from './workers.ts'

interface Options {
  readonly app: 'repaired' | 'as-found'
  readonly ownProcess?: true
  readonly kind?: readonly Kind[]
  readonly budget?: number
  readonly shard?: Shard
}

interface Shard {
  readonly part: number
  readonly of: number
}

/** Everything is one part. */
const ALL: Shard = { part: 1, of: 1 }

const FAILURES_SHOWN = 20
const TIMELINES_SHOWN = 3

outliveReader()

const command = new Command('explore')
  .description(
    'Plays stories by every delivery plan that there is: repeated, in every order, late, in each API version, disturbed or killed at each statement, overlapping statement by statement. Judges each run by its effects and the invariants.',
  )
  .argument('[story...]', 'names of stories; none: all of them')
  .addOption(
    new Option('--app <app>', 'the reference app').choices(['repaired', 'as-found']).default('repaired'),
  )
  .option('--own-process', `the app runs in a process of its own; for ${KINDS_OF_PROCESSES.join(' and ')}`)
  .option('--kind <kind>', `only these, repeatable: ${KINDS.join(', ')}`, kindsOf)
  .option(
    '--budget <time>',
    'begin nothing new after it, like 30s or 10m; the most telling comes first',
    msOf,
  )
  .option('--shard <part>', 'play this part of all plans, like 2/4: the parts do not overlap', shardOf)
  .addHelpText(
    'after',
    `
Each failing run is printed with the line that plays it again. Overlaps: all turns that take the turn from one who could
go on at most twice; of three at once a sample. An app that gives no answer three times in a row ends it. Of the app as
found the effects are judged too, so that most of its runs are not as told. A budget begins with the command: some ten
seconds of it are spent on starting. On a Postgres chosen as in the tests (TEST_POSTGRES).

Exit: 0 all as told, 1 a run was not, 2 could not run, nothing was run, or the app gives no answer, 3 wrong usage, 130
interrupted (Ctrl-C; 143 by SIGTERM) and all as told so far: what it has is printed.`,
  )
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'explore: ')) })

process.exitCode = await main().catch(explain)

async function main(): Promise<number> {
  await command.parseAsync()
  const { app, ownProcess = false, kind, budget, shard = ALL } = command.opts<Options>()
  const stories = storiesNamed([...new Set(command.args)])
  const interruption = new Interruption()
  const kinds = kindsFor(app, ownProcess, kind)
  const server = await startPostgres()
  console.log(server.says)
  const bar = new SingleBar({
    format: '{bar} {value} runs, {perSecond} a second, {left} plans left, {failed} not as told',
    stream: process.stderr,
    noTTYOutput: false,
  })
  const began = performance.now()
  try {
    bar.start(1, 0, { perSecond: 0, left: '?', failed: 0 })
    const found = await exploreInParallel({
      url: server.url,
      app,
      ownProcess,
      stories,
      kinds,
      shard,
      budgetMs: budget,
      workers: WORKERS,
      signal: interruption.signal,
      onProgress: ({ runs, left, failed }) => {
        const perSecond = Math.round(runs / ((performance.now() - began) / 1_000))
        bar.setTotal(runs + left)
        bar.update(runs, { perSecond, left, failed })
      },
    }).finally(() => bar.stop())
    return tell(found, { app, seconds: (performance.now() - began) / 1_000, interrupted: interruption.exit })
  } finally {
    await server.stop()
  }
}

function tell(
  { runs, left, failed, hasGivenUp, sampled }: Found,
  { app, seconds, interrupted }: { app: string; seconds: number; interrupted: number | undefined },
): number {
  for (const [index, { text, timeline, line }] of failed.slice(0, FAILURES_SHOWN).entries()) {
    console.log(`\n${text}\n  to play it again: ${line}`)
    if (index < TIMELINES_SHOWN) console.log(timeline)
  }
  if (failed.length > FAILURES_SHOWN) console.log(`\n… and ${failed.length - FAILURES_SHOWN} more`)
  const all = [...runs.values()].reduce((sum, n) => sum + n, 0)
  console.log('')
  for (const [kind, n] of runs)
    if (n > 0)
      console.log(
        `  ${kind.padEnd(12)}${String(n).padStart(8)} runs${SAMPLED_KINDS.includes(kind) ? ', a sample' : ''}`,
      )
  for (const [id, n] of countsOf(failed.flatMap(({ red }) => red)))
    console.log(`  red in ${n} of the runs that are not as told: ${id}`)
  for (const line of sampled) console.log(`  ${line}`)
  const sayRest = (): string => {
    const notBegun = `${left} plans were not begun`
    if (interrupted !== undefined)
      return `; interrupted${all === 0 ? ' before anything was played' : `, ${notBegun}`}`
    if (hasGivenUp) return `; ${notBegun}`
    return left > 0 ? `; time was up, ${notBegun}` : ''
  }
  const rate = `${(all / seconds).toFixed(0)} a second`
  if (hasGivenUp) console.error('explore: the app gave no answer again and again')
  const verdict =
    failed.length > 0 ? `${failed.length} not as told` : all > 0 ? 'all as told' : 'nothing was judged'
  console.log(`${all} runs of ${app} in ${seconds.toFixed(0)} s, ${rate}${sayRest()}: ${verdict}`)
  if (failed.length > 0 && !hasGivenUp) return 1
  if (interrupted !== undefined) return interrupted
  return hasGivenUp || all === 0 ? 2 : 0
}

/** The most frequent first. */
function countsOf(ids: readonly string[]): readonly (readonly [id: string, n: number])[] {
  return [...Map.groupBy(ids, (id) => id)]
    .map(([id, all]) => [id, all.length] as const)
    .toSorted(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
}

/** Of the kinds that are wanted, those that can be played; says of the others why not. Throws UsageError for none. */
function kindsFor(
  app: Options['app'],
  ownProcess: boolean,
  wanted: readonly Kind[] = KINDS,
): readonly Kind[] {
  const left = wanted.flatMap((kind): readonly (readonly [Kind, string])[] => {
    if (app === 'as-found' && ['fault', 'overlap-fault', 'killed'].includes(kind))
      return [[kind, 'the Data API in front of the app as found does not outlive it']]
    if (app === 'as-found' && kind === 'hangs') return [[kind, 'the app as found waits longer than Stripe']]
    if (!ownProcess && KINDS_OF_PROCESSES.includes(kind)) return [[kind, 'needs --own-process']]
    return []
  })
  const said = left.map(([kind, why]) => `not played: ${kind}, ${why}`)
  const kinds = wanted.filter((kind) => !left.some(([one]) => one === kind))
  if (kinds.length === 0) throw new UsageError(said.join('\n'))
  for (const line of said) console.log(line)
  return kinds
}

function kindsOf(value: string, before: readonly Kind[] = []): readonly Kind[] {
  const kind = KINDS.find((one) => one === value)
  if (kind === undefined) throw new InvalidArgumentError(`must be one of ${KINDS.join(', ')}`)
  return before.includes(kind) ? before : [...before, kind]
}

function shardOf(value: string): Shard {
  const [, part, of] = /^([1-9]\d{0,3})\/([1-9]\d{0,3})$/.exec(value) ?? []
  if (part === undefined || Number(part) > Number(of)) {
    throw new InvalidArgumentError('must be K/N with K from 1 to N, like 2/4')
  }
  return { part: Number(part), of: Number(of) }
}

function explain(error: unknown): number {
  // Commander has said it already; --help is no error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 3
  console.error(`explore: ${error instanceof Error ? error.message : String(error)}`)
  return error instanceof UsageError ? 3 : 2
}
