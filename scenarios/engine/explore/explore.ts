import { type Plan, printPlan } from '../plan.ts'
import type { Story } from '../story.ts'
import type { Arena, Measured, Run } from './arena.ts'
import { KINDS, type Kind, plansOf } from './kinds.ts'
import { nextTurns } from './overlap.ts'

/** A story that is to be played by a plan. */
export interface Task {
  readonly kind: Kind
  readonly story: Story
  readonly plan: Plan
  /** How many tasks before it do the like, to the same kind of event in the same kind of act: 0 tells most. */
  readonly rank: number
}

/** Plays a task; `next`: what is to be tried after it, now that it is known what happened. */
export type Player<R> = (
  task: Pick<Task, 'story' | 'plan'>,
) => Promise<{ readonly result: R; readonly next: Plan | undefined }>

export interface Wanted<R> {
  /** When to begin nothing new, by performance.now(); undefined: all is played. */
  readonly until?: number
  /** Whether what was seen is enough. */
  readonly isEnough?: () => boolean
  /** Told after each run; `left` are not begun. */
  readonly onRun?: (task: Task, result: R, left: number) => void
}

export interface Explored {
  /** Runs, by kind. */
  readonly runs: ReadonlyMap<Kind, number>
  /** Plans (of overlaps: pairs) that were wanted and not begun when time was up. */
  readonly left: number
}

/**
 * Plays all tasks, each by whichever player is free, those first that tell most. What comes of one is tried after all
 * others of its rank: a budget that ends early has seen something of everything.
 */
export async function explore<R>(
  players: readonly Player<R>[],
  tasks: readonly Task[],
  { until = Number.POSITIVE_INFINITY, isEnough = () => false, onRun }: Wanted<R> = {},
): Promise<Explored> {
  const runs = new Map<Kind, number>(KINDS.map((kind) => [kind, 0]))
  const queues = [...Map.groupBy(tasks, ({ rank }) => rank)]
    .toSorted(([a], [b]) => a - b)
    .map(([, queue]) => queue)
  const left = () => queues.reduce((sum, { length }) => sum + length, 0)
  await Promise.all(
    players.map(async (play) => {
      while (performance.now() < until && !isEnough()) {
        const queue = queues.find(({ length }) => length > 0)
        const task = queue?.shift()
        if (queue === undefined || task === undefined) break
        const { result, next } = await play(task)
        runs.set(task.kind, (runs.get(task.kind) ?? 0) + 1)
        if (next !== undefined) queue.push({ ...task, plan: next })
        onRun?.(task, result, left())
      }
    }),
  )
  return { runs, left: left() }
}

/**
 * Plays in an arena of this process.
 *
 * @param preemptions how often a turn may be taken from one who could go on
 */
export function playerIn(arena: Arena, preemptions: number): Player<Run> {
  return async ({ story, plan }) => {
    const run = await arena.run(story, plan)
    const [first] = plan
    // The first failure of those that overlap tells enough.
    if (first?.do !== 'overlap' || run.complaints.length > 0) return { result: run, next: undefined }
    const turns = nextTurns(run.performance.decisions, preemptions)
    return { result: run, next: turns === undefined ? undefined : [{ ...first, turns }] }
  }
}

/** All plans of these kinds for stories that were measured: stories and kinds take turns. */
export function tasksOf(
  measured: readonly (readonly [story: Story, anatomy: readonly Measured[]])[],
  kinds: readonly Kind[],
): readonly Task[] {
  const seen = new Map<string, number>()
  return inTurns(
    measured.flatMap(([story, anatomy]) =>
      kinds.map((kind) =>
        plansOf(kind, story, anatomy).map((plan) => {
          const what = withoutStory(plan, story, anatomy)
          const rank = seen.get(what) ?? 0
          seen.set(what, rank + 1)
          return { kind, story, plan, rank }
        }),
      ),
    ),
  )
}

/** What a plan does, in words that are the same for another story with such acts. */
function withoutStory(plan: Plan, story: Story, anatomy: readonly Measured[]): string {
  return printPlan(plan).replaceAll(/\b(\d+)\.(\d+)\b/g, (_, step, place) => {
    const one = anatomy.find(({ ref }) => ref.step === Number(step) && ref.place === Number(place))
    return `${JSON.stringify(story.steps[step - 1]?.act.do)} ${one?.what}`
  })
}

/** The first of each, then the second of each, … */
function inTurns<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length))
  return Array.from({ length: longest }, (_, place) =>
    lists.flatMap((list) => list.slice(place, place + 1)),
  ).flat()
}

/** A failed run in words: its plan, and what is not as told. */
export function sayFailure({ performance: { story, plan }, complaints }: Run): string {
  return [`${story.name}, ${printPlan(plan)}:`, ...complaints.map((one) => `  ✗ ${one}`)].join('\n')
}
