import { randomInt } from 'node:crypto'
import { SingleBar } from 'cli-progress'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { UsageError } from '../fixtures/postgres/usage-error.ts'
import { Ground } from '../scenarios/engine/soak/ground.ts'
import { renderSoak } from '../scenarios/engine/soak/render.ts'
import { type Soaked, soak } from '../scenarios/engine/soak/soak.ts'
import { outliveReader } from './closed-pipe.ts'
import { Interruption } from './interruption.ts'

interface Options {
  readonly minutes: number
  readonly seed: number
}

/** All that happens is kept in memory, to be told and reckoned: some 100 MB a minute. */
const MOST_MINUTES = 30
const SEEDS = 2 ** 31

outliveReader()

const command = new Command('soak')
  .description(
    'Lets users buy, subscribe, renew, cancel and use tokens on the repaired app at full speed, while deliveries overlap, come twice, late and in any order, while its database connections, its process and Stripe’s API fail at random, and while the audit looks at a hot standby. Stops at the first violation, with the timeline of the user concerned.',
  )
  .option('--minutes <n>', `how long users go on, like 10 or 0.5; at most ${MOST_MINUTES}`, minutesOf, 5)
  .option(
    '--seed <n>',
    'what each user does follows from it, and by which dice faults are planned; none: by chance',
    seedOf,
  )
  .allowExcessArguments(false)
  .addHelpText(
    'after',
    `
A primary and its standby are started for it, and ended: containers where Docker answers, else npm's binaries
(TEST_POSTGRES=container|embedded; a server that is given by URL has no standby of ours, and is not used).
At the end all that the app has not taken yet is delivered until it is taken; then what was paid is compared with the
ledger, and the standby is audited with that evidence. How requests meet is not in the seed, nor what is sent again for
that: a second run of it need not end the same.

Exit: 0 all well, 1 a violation, 2 could not run or judge, or nothing was disturbed, overlapped or audited meanwhile,
3 wrong usage, 130 interrupted.`,
  )
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'soak: ')) })

process.exitCode = await main().catch(explain)

async function main(): Promise<number> {
  await command.parseAsync()
  const { minutes, seed = randomInt(SEEDS) } = command.opts<Partial<Options> & Pick<Options, 'minutes'>>()
  const interruption = new Interruption()
  const ground = await Ground.start()
  try {
    console.log(ground.says)
    console.log(`npm run soak -- --minutes ${minutes} --seed ${seed}`)
    const soaked = await soakFor(minutes * 60, seed, ground, interruption.signal)
    console.log(`\n${renderSoak(soaked)}`)
    return conclude(soaked, interruption.exit)
  } finally {
    await ground.close()
  }
}

async function soakFor(seconds: number, seed: number, ground: Ground, signal: AbortSignal): Promise<Soaked> {
  const bar = new SingleBar({
    format: '{bar} {value}/{total} s, {deliveries} deliveries, {hits} faults hit, {audits} audits',
    stream: process.stderr,
    noTTYOutput: false,
  })
  const plot = await ground.plot()
  let began: number | undefined
  bar.start(Math.ceil(seconds), 0, { deliveries: 0, hits: 0, audits: 0 })
  try {
    return await soak({
      plot,
      app: 'repaired',
      seed,
      signal,
      goesOn: ({ figures, faults, looks }) => {
        began ??= performance.now()
        const passed = (performance.now() - began) / 1_000
        bar.update(Math.min(Math.floor(passed), Math.ceil(seconds)), {
          deliveries: figures.deliveries,
          hits: sum(faults.hit),
          audits: sum(looks),
        })
        return passed < seconds
      },
    })
  } finally {
    bar.stop()
  }
}

function conclude({ violations, doubts }: Soaked, interrupted: number | undefined): number {
  if (violations.length > 0) return 1
  if (interrupted !== undefined) {
    console.error('soak: interrupted: these are the figures so far, and nothing is said about the end')
    return interrupted
  }
  for (const doubt of doubts) console.error(`soak: this is not green: ${doubt}`)
  if (doubts.length > 0) return 2
  console.log('all well')
  return 0
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((all, n) => all + n, 0)
}

function minutesOf(value: string): number {
  const minutes = Number(value)
  if (!/^\d{1,3}(\.\d{1,3})?$/.test(value) || minutes === 0 || minutes > MOST_MINUTES) {
    throw new InvalidArgumentError(
      `must be a number of minutes like 10 or 0.5, above 0 and at most ${MOST_MINUTES}`,
    )
  }
  return minutes
}

function seedOf(value: string): number {
  const seed = Number(value)
  if (!/^\d{1,10}$/.test(value) || seed >= SEEDS) throw new InvalidArgumentError(`must be 0 to ${SEEDS - 1}`)
  return seed
}

function explain(error: unknown): number {
  // Commander has said it already; --help is no error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 3
  console.error(`soak: ${error instanceof Error ? error.message : String(error)}`)
  return error instanceof UsageError ? 3 : 2
}
