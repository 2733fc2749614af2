import { describe, expect, test } from 'vitest'
import { SEVERITIES, type Severity } from './catalogue.ts'
import { EXITS, STATUSES, type Status, verdictOf } from './verdict.ts'

const PASS = { status: 'pass', severity: 'critical' } as const

/** Each status, alone and at each severity, with --fail-on major. */
const ALONE: Readonly<Record<Status, Readonly<Record<Severity, 0 | 1 | 2>>>> = {
  pass: { critical: 0, major: 0, minor: 0 },
  waived: { critical: 0, major: 0, minor: 0 },
  transient: { critical: 0, major: 0, minor: 0 },
  fail: { critical: 1, major: 1, minor: 0 },
  // No severity and no flag softens what could not be judged.
  vacuous: { critical: 2, major: 2, minor: 2 },
  stale: { critical: 2, major: 2, minor: 2 },
  error: { critical: 2, major: 2, minor: 2 },
  not_run: { critical: 2, major: 2, minor: 2 },
}
const VERDICTS = ['ok', 'violations', 'could_not_judge'] as const
const rows = Object.entries(ALONE).flatMap(([status, exits]) =>
  SEVERITIES.map((severity) => [status as Status, severity, exits[severity]] as const),
)

describe('the verdict', () => {
  test('knows every status', () => {
    expect(Object.keys(STATUSES)).toEqual(Object.keys(ALONE))
    expect(Object.keys(EXITS)).toEqual(['0', '1', '2', '3', '4', '130'])
  })

  test.for(rows)('of a rule that ends as %s and is %s is %i', ([status, severity, exit]) => {
    expect(verdictOf([PASS, { status, severity }, PASS], 0, 'major')).toEqual({
      verdict: VERDICTS[exit],
      exit,
    })
  })

  // Each status beside each other: could not judge wins over violations, and those over all is well.
  test.for(rows)('of %s, %s (%i alone) beside another is the worse of both', ([status, severity, exit]) => {
    for (const [other, rank, alone] of rows) {
      const rules = [
        { status, severity },
        { status: other, severity: rank },
      ]
      expect(verdictOf(rules, 0, 'major').exit).toBe(Math.max(exit, alone))
    }
  })

  test.for([
    ['critical', 1, 0, 0],
    ['major', 1, 1, 0],
    ['minor', 1, 1, 1],
  ] as const)('with --fail-on %s counts what is at or above', ([failOn, ...exits]) => {
    expect(SEVERITIES.map((severity) => verdictOf([{ status: 'fail', severity }], 0, failOn).exit)).toEqual(
      exits,
    )
    expect(verdictOf([{ status: 'error', severity: 'minor' }], 0, failOn).exit).toBe(2)
  })

  // Nothing was wrong, since nothing was looked at.
  test('on nothing at all is no verdict', () => {
    expect(verdictOf([], 0, 'major')).toEqual({ verdict: 'could_not_judge', exit: 2 })
  })

  test('is none when a target as a whole could not be judged', () => {
    expect(verdictOf([PASS], 1, 'major').exit).toBe(2)
    expect(verdictOf([{ status: 'fail', severity: 'critical' }], 1, 'major').exit).toBe(2)
  })
})
