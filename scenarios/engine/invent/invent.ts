import fc from 'fast-check'
import type { Arena, Run } from '../explore/arena.ts'
import type { Plan } from '../plan.ts'
import { ideas, storyOf } from './ideas.ts'
import { calmPlan, calmWishes, disturbanceWish, disturbedPlan, version } from './wishes.ts'

export interface Wanted {
  /** What fast-check begins with: the same stories for the same number. */
  readonly seed: number
  /** How many stories. */
  readonly stories: number
  /** Play the one story that a failure printed this path for, and no other. */
  readonly path?: string | undefined
  /** When to stop, by performance.now(); a failure is not made smaller after it. */
  readonly until?: number
  /** What the stories are called: all that is in them follows from it. */
  readonly name: string
  /** Whether the app outlives faults at the wire. */
  readonly faults: boolean
  /** Told after each run. */
  readonly onRun?: (state: Played) => void
}

export interface Played {
  readonly stories: number
  readonly runs: number
  /** One is not as told, and is made smaller. */
  readonly isFailing: boolean
}

export interface Invented extends Omit<Played, 'isFailing'> {
  readonly failure?: Failure
}

/** The smallest story, by the simplest plan, that was found not to be as told. */
export interface Failure {
  /** With its timeline. */
  readonly run: Run
  /** What `Wanted.path` takes. */
  readonly path: string
  /** Time was up before it could be made smaller. */
  readonly isCut: boolean
}

const invention = fc.record({
  ideas,
  version,
  calm: calmWishes,
  disturbance: disturbanceWish,
})
type Invention = typeof invention extends fc.Arbitrary<infer T> ? T : never

/**
 * Makes up stories and plays each in order, by a plan of repeated, late and reordered deliveries, and by one that
 * disturbs it, until one is not as told. That one is made smaller as long as it goes on failing. Throws where a story
 * could not be played or judged, naming the seed.
 */
export async function invent(arena: Arena, wanted: Wanted): Promise<Invented> {
  const { seed, path, name, until = Number.POSITIVE_INFINITY, onRun } = wanted
  let stories = 0
  let runs = 0
  let isFailing = false
  const play = async (made: Invention): Promise<void> => {
    const story = storyOf(made.ideas, name)
    if (story.steps.length === 0) return
    stories++
    const told = (run: Run): void => {
      runs++
      isFailing ||= run.complaints.length > 0
      onRun?.({ stories, runs, isFailing })
      if (run.complaints.length > 0) throw new NotAsTold(run)
    }
    const base: Plan = made.version === undefined ? [] : [{ do: 'version', version: made.version }]
    const { run, measured } = await arena.anatomy(story, base)
    told(run)
    const plans = [
      calmPlan(made.calm, measured),
      disturbedPlan(made.disturbance, measured, { faults: wanted.faults }),
    ]
    for (const plan of plans) if (plan.length > 0) told(await arena.run(story, [...base, ...plan]))
  }
  const failing = async (found: NotAsTold, at: string, isCut: boolean): Promise<Invented> => {
    const { story, plan } = found.run.performance
    const run = await arena.run(story, plan, { isWatched: true })
    // What was seen once is told, though it should not come again.
    return { stories, runs, failure: { run: run.complaints.length > 0 ? run : found.run, path: at, isCut } }
  }

  if (path !== undefined) {
    const found = await playAt(seed, path, play)
    return found === undefined ? { stories, runs } : failing(found, path, false)
  }
  let broken: unknown
  const details = await fc.check(
    fc.asyncProperty(invention, async (made) => {
      // The engine's own trouble gets no clearer by smaller stories.
      if (broken !== undefined) return
      await play(made).catch((error: unknown) => {
        if (!(error instanceof NotAsTold)) broken = error
        throw error
      })
    }),
    {
      seed,
      numRuns: wanted.stories,
      includeErrorInReport: true,
      ...(Number.isFinite(until) && {
        interruptAfterTimeLimit: Math.max(1, until - performance.now()),
        markInterruptAsFailure: false,
      }),
    },
  )
  if (broken !== undefined) {
    const what = broken instanceof Error ? broken.message : String(broken)
    const line = `--seed ${seed} --path ${details.counterexamplePath}`
    throw new Error(`a story could not be played or judged (${line}): ${what}`, { cause: broken })
  }
  if (!details.failed || !(details.errorInstance instanceof NotAsTold)) return { stories, runs }
  return failing(details.errorInstance, details.counterexamplePath ?? '', details.interrupted)
}

/** What is not as told of the story at that place of the seed's; undefined: it is as told. */
async function playAt(
  seed: number,
  path: string,
  play: (made: Invention) => Promise<void>,
): Promise<NotAsTold | undefined> {
  const [made] = fc.sample(invention, { seed, path, numRuns: 1 })
  if (made === undefined) throw new Error(`--seed ${seed} has nothing at --path ${path}`)
  try {
    await play(made)
    return undefined
  } catch (error) {
    if (error instanceof NotAsTold) return error
    throw error
  }
}

class NotAsTold extends Error {
  override readonly name = 'NotAsTold'
  readonly run: Run

  constructor(run: Run) {
    super(run.complaints.join('\n'))
    this.run = run
  }
}
