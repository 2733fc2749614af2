import { type Plan, printPlan } from '../plan.ts'
import type { Story } from '../story.ts'
import type { Arena, Run } from './arena.ts'
import { KINDS, type Kind } from './kinds.ts'
import { furtherTurns } from './overlap.ts'
import type { Task } from './tasks.ts'

export type Player<R> = (task: Pick<Task, 'story' | 'plan'>) => Promise<PlayedTask<R>>

export interface PlayedTask<R> {
  readonly result: R
  /** What is to be tried after it, now that it is known what happened. */
  readonly next: readonly Plan[]
  /** The app gave no answer. */
  readonly isCut: boolean
}

/** An answer that does not come takes half a minute each. */
const SILENCES = 3

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
  /** Plans that were not begun when time was up: of overlaps of two those that are known by then. */
  readonly left: number
  /** The app gave no answer again and again: what is left was not begun. */
  readonly hasGivenUp: boolean
}

/**
 * Plays all tasks, each by whichever player is free, those first that tell most. Every second run carries on
 * what came of an earlier one: a budget that ends early has seen something of everything, and more of what overlaps.
 */
export async function explore<R>(
  players: readonly Player<R>[],
  tasks: readonly Task[],
  { until = Number.POSITIVE_INFINITY, isEnough = () => false, onRun }: Wanted<R> = {},
): Promise<Explored> {
  const runs = new Map<Kind, number>(KINDS.map((kind) => [kind, 0]))
  const fresh = new Waiting()
  const further = new Waiting()
  for (const task of tasks) fresh.add(task)
  const left = () => fresh.length + further.length
  let taken = 0
  const take = () => {
    const [first, second] = taken++ % 2 === 0 ? [fresh, further] : [further, fresh]
    return first.take() ?? second.take()
  }
  let hasGivenUp = false
  await Promise.all(
    players.map(async (play) => {
      let silences = 0
      while (performance.now() < until && !isEnough() && !hasGivenUp) {
        const task = take()
        if (task === undefined) break
        const { result, next, isCut } = await play(task)
        silences = isCut ? silences + 1 : 0
        hasGivenUp ||= silences >= SILENCES
        runs.set(task.kind, (runs.get(task.kind) ?? 0) + 1)
        // They are more and more like each other.
        for (const [index, plan] of next.entries()) further.add({ ...task, plan, rank: task.rank + index })
        onRun?.(task, result, left())
      }
    }),
  )
  return { runs, left: left(), hasGivenUp }
}

/** Tasks that are not begun, by rank. */
class Waiting {
  readonly #byRank: Task[][] = []
  length = 0

  add(task: Task): void {
    this.#byRank[task.rank] ??= []
    this.#byRank[task.rank]?.push(task)
    this.length++
  }

  take(): Task | undefined {
    const task = this.#byRank.find((own) => own !== undefined && own.length > 0)?.shift()
    if (task !== undefined) this.length--
    return task
  }
}

/** A run that is not as told is played again by an app that remembers nothing of the runs before. */
async function played(arena: Arena, story: Story, plan: Plan): Promise<Run> {
  const run = await arena.run(story, plan)
  if (run.complaints.length === 0 || run.performance.isCut || !arena.hasProcess) return run
  await arena.replaceApp()
  const { complaints } = await arena.run(story, plan)
  if (complaints.join() === run.complaints.join()) return run
  const end = complaints.length === 0 ? 'is as told' : `ends otherwise (${complaints[0]})`
  const difference = `after a restart of the app the same plan ${end}: the app keeps state in memory, or it is a matter of luck`
  return { ...run, complaints: [...run.complaints, difference] }
}

/**
 * Plays in an arena of this process.
 *
 * @param preemptions how often a turn may be taken from one who could go on
 */
export function playerIn(arena: Arena, preemptions: number): Player<Run> {
  return async ({ story, plan }) => {
    const run = await played(arena, story, plan)
    const { decisions, isCut } = run.performance
    const [first] = plan
    const isPair = first?.do === 'overlap' && first.jobs.length === 2
    // The first failure of those that overlap tells enough.
    const isToGoOn = isPair && run.complaints.length === 0
    const turns = isToGoOn ? furtherTurns(decisions, first.turns.length, preemptions) : []
    return { result: run, next: isPair ? turns.map((one): Plan => [{ ...first, turns: one }]) : [], isCut }
  }
}

/** A failed run in words: its plan, and what is not as told. */
export function sayFailure({ performance: { story, plan }, complaints }: Run): string {
  return [`${story.name}, ${printPlan(plan)}:`, ...complaints.map((one) => `  ✗ ${one}`)].join('\n')
}
