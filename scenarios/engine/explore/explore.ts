import { type Plan, printPlan } from '../plan.ts'
import type { Story } from '../story.ts'
import type { Arena, Measured, Run } from './arena.ts'
import { KINDS, type Kind, plansOf } from './kinds.ts'
import { furtherTurns } from './overlap.ts'

/** A story that is to be played by a plan. */
export interface Task {
  readonly kind: Kind
  readonly story: Story
  readonly plan: Plan
  /** How many tasks before it do the like, to the same kind of event in the same kind of act: 0 tells most. */
  readonly rank: number
}

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
 * Plays all tasks, each by whichever player is free, those first that tell most. Every second run carries on what came of
 * an earlier one, the oldest first: a budget that ends early has seen something of everything, and more of something.
 */
export async function explore<R>(
  players: readonly Player<R>[],
  tasks: readonly Task[],
  { until = Number.POSITIVE_INFINITY, isEnough = () => false, onRun }: Wanted<R> = {},
): Promise<Explored> {
  const runs = new Map<Kind, number>(KINDS.map((kind) => [kind, 0]))
  const queues = [...Map.groupBy(tasks, ({ rank }) => rank)]
    .toSorted(([a], [b]) => a - b)
    .map(([, begin]) => new Queue(begin))
  let hasGivenUp = false
  const left = () => queues.reduce((sum, { length }) => sum + length, 0)
  await Promise.all(
    players.map(async (play) => {
      let silences = 0
      while (performance.now() < until && !isEnough() && !hasGivenUp) {
        const queue = queues.find(({ length }) => length > 0)
        const task = queue?.take()
        if (queue === undefined || task === undefined) break
        const { result, next, isCut } = await play(task)
        silences = isCut ? silences + 1 : 0
        hasGivenUp ||= silences >= SILENCES
        runs.set(task.kind, (runs.get(task.kind) ?? 0) + 1)
        queue.carryOn(next.map((plan) => ({ ...task, plan })))
        onRun?.(task, result, left())
      }
    }),
  )
  return { runs, left: left(), hasGivenUp }
}

/** Tasks of one rank: what is to be begun, and what is to be carried on. */
class Queue {
  readonly #begin: Task[]
  readonly #carryOn: Task[] = []
  #taken = 0

  constructor(begin: readonly Task[]) {
    this.#begin = [...begin]
  }

  get length(): number {
    return this.#begin.length + this.#carryOn.length
  }

  take(): Task | undefined {
    const [first, second] =
      this.#taken++ % 2 === 0 ? [this.#begin, this.#carryOn] : [this.#carryOn, this.#begin]
    return first.shift() ?? second.shift()
  }

  carryOn(tasks: readonly Task[]): void {
    this.#carryOn.push(...tasks)
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

/** All plans of these kinds for stories that were measured, by story; kinds take turns. */
export function tasksOf(
  measured: readonly (readonly [story: Story, anatomy: readonly Measured[]])[],
  kinds: readonly Kind[],
): readonly (readonly Task[])[] {
  const seen = new Map<string, number>()
  return measured.map(([story, anatomy]) =>
    inTurns(
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
function withoutStory(plan: Plan, { steps }: Story, anatomy: readonly Measured[]): string {
  const acts = (from: number, to: number | 'last') =>
    steps.slice(from - 1, to === 'last' ? undefined : to).map(({ act }) => act.do)
  const words = printPlan(plan).replaceAll(/\b(\d+)\.(\d+)\b/g, (_, step, place) => {
    const one = anatomy.find(({ ref }) => ref.step === Number(step) && ref.place === Number(place))
    return `${acts(Number(step), Number(step))} ${one?.what}`
  })
  return [words, ...plan.map((directive) => concernedBy(directive, acts))].join()
}

/** The acts that a directive is about, beside those whose deliveries it names. */
function concernedBy(
  directive: Plan[number],
  acts: (from: number, to: number | 'last') => readonly string[],
): readonly string[] {
  switch (directive.do) {
    case 'version':
    case 'twice':
      return acts(1, 'last')
    case 'order':
      return acts(directive.step, directive.step)
    case 'late':
      return acts(directive.job.step, directive.until)
    default:
      return []
  }
}

/** The first of each, then the second of each, … */
export function inTurns<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length))
  return Array.from({ length: longest }, (_, place) =>
    lists.flatMap((list) => list.slice(place, place + 1)),
  ).flat()
}

/** A failed run in words: its plan, and what is not as told. */
export function sayFailure({ performance: { story, plan }, complaints }: Run): string {
  return [`${story.name}, ${printPlan(plan)}:`, ...complaints.map((one) => `  ✗ ${one}`)].join('\n')
}
