import { gap, sum } from './decimal.ts'
import type { Judgement, Violation } from './violations.ts'

/**
 * What is left of a first look after a second one, with the same horizon: only what both saw is a violation. What is
 * new at the second look waits for the next run. Where there are more violations than a look names, they can't be
 * compared one by one: then the second look's figures stand.
 *
 * @returns the violations that both saw, and how many of the first look are gone
 */
export function confirm(first: Judgement, second: Judgement): { judgement: Judgement; transient: number } {
  const whole = (look: Judgement) => look.violations === look.sample.length
  if (!whole(first) || !whole(second)) {
    return { judgement: second, transient: Math.max(first.violations - second.violations, 0) }
  }
  const firstSubjects = new Set(first.sample.map(subjectOf))
  const both = second.sample.filter((violation) => firstSubjects.has(subjectOf(violation)))
  const bothSubjects = new Set(both.map(subjectOf))
  return {
    judgement: {
      population: second.population,
      violations: both.length,
      impact: sum(both.map(({ expected, actual }) => gap(expected, actual))),
      users: new Set(both.flatMap(({ userId }) => userId ?? [])).size,
      sample: both,
    },
    transient: first.sample.filter((violation) => !bothSubjects.has(subjectOf(violation))).length,
  }
}

function subjectOf({ subjectType, subjectId }: Violation): string {
  return `${subjectType}\0${subjectId}`
}
