import { SingleBar } from 'cli-progress'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { startPostgres } from '../fixtures/postgres/server.ts'
import { UsageError } from '../fixtures/postgres/usage-error.ts'
import { KINDS, type Kind } from '../scenarios/engine/explore/kinds.ts'
import { storiesNamed } from '../scenarios/engine/stories.ts'
import { outliveReader } from './closed-pipe.ts'
import { msOf } from './duration.ts'
import { exploreInParallel, type Found } from './explore/parallel.ts'
import { WORKERS } from './workers.ts'

interface Options {
  readonly app: 'repaired' | 'as-found'
  readonly kind?: readonly Kind[]
  readonly budget?: number
  readonly shard: { readonly part: number; readonly of: number }
}

const FAILURES_SHOWN = 20

outliveReader()

const command = new Command('explore')
  .description(
    'Plays stories by every delivery plan that there is: repeated, in every order, late, in each API version, disturbed at each statement, overlapping statement by statement. Judges each run by its effects and the invariants.',
  )
  .argument('[story...]', 'names of stories; none: all of them')
  .addOption(
    new Option('--app <app>', 'the reference app').choices(['repaired', 'as-found']).default('repaired'),
  )
  .option('--kind <kind>', `only these, repeatable: ${KINDS.join(', ')}`, kindsOf)
  .option(
    '--budget <time>',
    'begin nothing new after it, like 30s or 10m; the most telling comes first',
    msOf,
  )
  .option('--shard <part>', 'play this part of all plans, like 2/4: the parts do not overlap', shardOf, {
    part: 1,
    of: 1,
  })
  .addHelpText(
    'after',
    `
Each failing run is printed with the line that plays it again. Overlaps: all turns that take the turn from one who could
go on at most twice. On a Postgres chosen as in the tests (TEST_POSTGRES).

Exit: 0 all as told, 1 a run was not, 2 could not run, or nothing was run, 3 wrong usage.`,
  )
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'explore: ')) })

process.exitCode = await main().catch(explain)

async function main(): Promise<number> {
  await command.parseAsync()
  const { app, kind, budget, shard } = command.opts<Options>()
  const stories = storiesNamed([...new Set(command.args)]).map(({ name }) => name)
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
      stories,
      kinds: kindsFor(app, kind),
      shard,
      budgetMs: budget,
      workers: WORKERS,
      onProgress: ({ runs, left, failed }) => {
        const perSecond = Math.round(runs / ((performance.now() - began) / 1_000))
        bar.setTotal(runs + left)
        bar.update(runs, { perSecond, left, failed })
      },
    }).finally(() => bar.stop())
    return tell(found, app, (performance.now() - began) / 1_000)
  } finally {
    await server.stop()
  }
}

function tell({ runs, left, failed, problems }: Found, app: string, seconds: number): number {
  for (const { text, line } of failed.slice(0, FAILURES_SHOWN))
    console.log(`\n${text}\n  to play it again: ${line}`)
  if (failed.length > FAILURES_SHOWN) console.log(`\n… and ${failed.length - FAILURES_SHOWN} more`)
  const all = [...runs.values()].reduce((sum, n) => sum + n, 0)
  console.log('')
  for (const [kind, n] of runs) if (n > 0) console.log(`  ${kind.padEnd(12)}${String(n).padStart(8)} runs`)
  const rate = `${(all / seconds).toFixed(0)} a second`
  const rest = left > 0 ? `; time was up, ${left} plans were not begun` : ''
  for (const problem of problems) console.error(`explore: ${problem}`)
  console.log(
    `${all} runs of ${app} in ${seconds.toFixed(0)} s, ${rate}${rest}: ${failed.length === 0 ? 'all as told' : `${failed.length} not as told`}`,
  )
  if (problems.length > 0 || all === 0) return 2
  return failed.length === 0 ? 0 : 1
}

/** The Data API, through which the app as found reaches Postgres, does not outlive faults at the wire. */
function kindsFor(app: Options['app'], wanted: readonly Kind[] = KINDS): readonly Kind[] {
  if (app === 'repaired' || !wanted.includes('fault')) return wanted
  console.log('not played: faults, which the Data API in front of the app as found does not outlive')
  return wanted.filter((kind) => kind !== 'fault')
}

function kindsOf(value: string, before: readonly Kind[] = []): readonly Kind[] {
  const kind = KINDS.find((one) => one === value)
  if (kind === undefined) throw new InvalidArgumentError(`must be one of ${KINDS.join(', ')}`)
  return [...before, kind]
}

function shardOf(value: string): Options['shard'] {
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
