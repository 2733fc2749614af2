import { type Directive, isSame, type JobRef, type Plan } from '../plan.ts'
import type { Story } from '../story.ts'
import type { Measured } from './arena.ts'
import { type Kind, plansOf } from './kinds.ts'

/** A story that is to be played by a plan. */
export interface Task {
  readonly kind: Kind
  readonly story: Story
  readonly plan: Plan
  /** How many tasks before it do the like, to the same kind of event that the app takes the same way: 0 tells most. */
  readonly rank: number
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
          const what = likeness(plan, story, anatomy)
          const rank = seen.get(what) ?? 0
          seen.set(what, rank + 1)
          return { kind, story, plan, rank }
        }),
      ),
    ),
  )
}

/** What a plan does, in words that are the same for another story with such events. */
function likeness(plan: Plan, { steps }: Story, anatomy: readonly Measured[]): string {
  const acts = (from: number, to: number | 'last') =>
    steps.slice(from - 1, to === 'last' ? undefined : to).map(({ act }) => act.do)
  // What the app does in as many statements and calls is taken for the same, whatever the act.
  const measured = (ref: JobRef) => anatomy.find((one) => isSame(one.ref, ref))
  const job = (ref: JobRef) => {
    const { what, statements, calls } = measured(ref) ?? {}
    return `${what} ${statements} ${calls}`
  }
  const words = (directive: Directive): readonly string[] => {
    switch (directive.do) {
      case 'twice':
        return acts(1, 'last')
      case 'version':
        return [directive.version, ...acts(1, 'last')]
      case 'again':
        return [job(directive.job), directive.as]
      case 'late':
        return [
          job(directive.job),
          ...(directive.until === 'last' ? ['last'] : acts(directive.until, directive.until)),
        ]
      case 'fault': {
        // The commit, what comes before it, and all the others.
        const after = (measured(directive.job)?.statements ?? 0) - directive.statement
        return [job(directive.job), `${Math.min(after, 2)}`, directive.how]
      }
      case 'stripe':
        return [job(directive.job), directive.how]
      case 'order':
      case 'restart':
        return acts(directive.step, directive.step)
      case 'overlap':
        return directive.jobs.map(job)
    }
  }
  return plan.map((directive) => [directive.do, ...words(directive)].join()).join(';')
}

/** The first of each, then the second of each, … */
export function inTurns<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(0, ...lists.map(({ length }) => length))
  return Array.from({ length: longest }, (_, place) =>
    lists.flatMap((list) => list.slice(place, place + 1)),
  ).flat()
}
