import fc from 'fast-check'
import type { Arena, Measured, Run } from '../explore/arena.ts'
import { type Plan, printPlan } from '../plan.ts'
import type { Story } from '../story.ts'
import { ideas, steps, storyOf } from './ideas.ts'
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

/** What is first is made simpler first: the plan, then the story's end, then what is before it. */
const invention = fc.record({
  disturbance: disturbanceWish,
  calm: calmWishes,
  version,
  steps,
  ideas,
})
type Anatomy = Awaited<ReturnType<Arena['anatomy']>>
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
  // A story is made smaller by leaving out ideas, and most of them were not in it: the same is not played again.
  const known = new Map<string, Anatomy>()
  const keyOf = (story: Story, plan: Plan) => `${story.title} by ${printPlan(plan)}`
  const run = async (story: Story, plan: Plan, how: () => Promise<Anatomy>): Promise<readonly Measured[]> => {
    const key = keyOf(story, plan)
    const seen = known.get(key)
    const anatomy = seen ?? (await how())
    const isAsTold = anatomy.run.complaints.length === 0
    isFailing ||= !isAsTold
    if (seen === undefined) {
      runs++
      onRun?.({ stories, runs, isFailing })
    }
    if (isFailing) known.set(key, anatomy)
    if (!isAsTold) throw new NotAsTold(anatomy.run)
    return anatomy.measured
  }
  const play = async (made: Invention): Promise<void> => {
    const story = storyOf(made.ideas, { name, steps: made.steps })
    if (story.steps.length === 0) return
    const base: Plan = made.version === undefined ? [] : [{ do: 'version', version: made.version }]
    if (!known.has(keyOf(story, base))) stories++
    const measured = await run(story, base, () => arena.anatomy(story, base))
    const plans = [
      calmPlan(made.calm, measured),
      disturbedPlan(made.disturbance, measured, { faults: wanted.faults }),
    ].flatMap((plan) => (plan.length === 0 ? [] : [[...base, ...plan]]))
    for (const plan of plans) {
      await run(story, plan, async () => ({ run: await arena.run(story, plan), measured }))
    }
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
  let index = -1
  let broken: unknown
  let playing = Promise.resolve()
  const details = await fc.check(
    fc.asyncProperty(invention, (made) => {
      // The engine's own trouble gets no clearer by smaller stories.
      if (broken !== undefined) return Promise.resolve()
      if (!isFailing) index++
      playing = play(made).catch((error: unknown) => {
        if (!(error instanceof NotAsTold)) broken = error
        throw error
      })
      return playing
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
  // When time is up, fast-check does not wait for the story that is being played.
  const last: unknown = await playing.then(
    () => undefined,
    (error: unknown) => error,
  )
  const at = details.counterexamplePath ?? String(index)
  if (broken !== undefined) {
    const what = broken instanceof Error ? broken.message : String(broken)
    throw new Error(`a story could not be played or judged (--seed ${seed} --path ${at}): ${what}`, {
      cause: broken,
    })
  }
  const found = details.errorInstance ?? last
  return found instanceof NotAsTold ? failing(found, at, details.interrupted) : { stories, runs }
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
