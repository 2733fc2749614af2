import { type Plan, printPlan } from '../plan.ts'
import type { Story } from '../story.ts'
import type { Arena, Run } from './arena.ts'
import { KINDS, type Kind, plansOf } from './kinds.ts'
import { nextTurns } from './overlap.ts'

export interface Wanted {
  readonly stories: readonly Story[]
  readonly kinds: readonly Kind[]
  /** How often a turn may be taken from one who could go on. */
  readonly preemptions: number
  /** This part of all plans: K of N. */
  readonly shard: { readonly part: number; readonly of: number }
  /** When to begin nothing new, by performance.now(). */
  readonly until: number
  /** Whether what was seen is enough; else all is played. */
  readonly isEnough?: () => boolean
  /** Told before each run. */
  readonly onBegin?: (story: Story, plan: Plan) => void
  /** Told after each run; `left` plans are not begun. */
  readonly onRun?: (kind: Kind, run: Run, left: number) => void
}

export interface Explored {
  /** Runs, by kind. */
  readonly runs: ReadonlyMap<Kind, number>
  /** Plans (of overlaps: pairs) that were wanted and not begun when time was up. */
  readonly left: number
  readonly failed: readonly Run[]
}

interface Task {
  readonly kind: Kind
  readonly story: Story
  readonly plan: Plan
}

/**
 * Plays stories by all plans of these kinds, and judges each run. Stories and kinds take turns, so that a budget that
 * ends early has seen something of everything.
 */
export async function explore(arena: Arena, wanted: Wanted): Promise<Explored> {
  const runs = new Map<Kind, number>(KINDS.map((kind) => [kind, 0]))
  const failed: Run[] = []
  const tasks = await tasksOf(arena, wanted)
  const isOver = () => performance.now() >= wanted.until || wanted.isEnough?.() === true
  let begun = 0
  const play = async (kind: Kind, story: Story, plan: Plan): Promise<Run> => {
    wanted.onBegin?.(story, plan)
    const run = await arena.run(story, plan)
    runs.set(kind, (runs.get(kind) ?? 0) + 1)
    if (run.complaints.length > 0) failed.push(run)
    wanted.onRun?.(kind, run, tasks.length - begun)
    return run
  }
  for (const { kind, story, plan } of tasks) {
    if (isOver()) break
    begun++
    const [first] = plan
    if (first?.do !== 'overlap') {
      await play(kind, story, plan)
      continue
    }
    let turns: string | undefined = ''
    while (turns !== undefined && !isOver()) {
      const run: Run = await play(kind, story, [{ ...first, turns }])
      // The first failure of a pair tells enough.
      if (run.complaints.length > 0) break
      turns = nextTurns(run.performance.decisions, wanted.preemptions)
    }
  }
  return { runs, left: tasks.length - begun, failed }
}

async function tasksOf(arena: Arena, { stories, kinds, shard }: Wanted): Promise<readonly Task[]> {
  const lists: Task[][] = []
  for (const story of stories) {
    const { measured: anatomy } = await arena.anatomy(story)
    for (const kind of kinds) lists.push(plansOf(kind, story, anatomy).map((plan) => ({ kind, story, plan })))
  }
  return inTurns(lists).filter((_, index) => index % shard.of === shard.part - 1)
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
