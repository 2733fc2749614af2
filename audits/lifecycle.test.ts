import { describe, expect, test } from 'vitest'
import { drillReport } from './drill.ts'
import { pastOf } from './history.ts'
import { type RecordedTarget, recordOf } from './history-record.ts'
import { follow } from './lifecycle.ts'
import { dark, report, rule, target, violation } from './reports/examples.ts'
import type { RuleReport } from './reports/report.ts'

/** The start of the run of a day, counted from the first of November. */
const on = (day: number) => new Date(Date.UTC(2026, 10, day, 3, 17)).toISOString()

/** A rule that finds exactly these subjects. */
function finds(...subjects: string[]): RuleReport {
  return rule({
    status: subjects.length > 0 ? 'fail' : 'pass',
    violations: subjects.length,
    sample: subjects.map((subject_id) => violation({ subject_id })),
  })
}

/** A rule that finds so many, of which the sample names these. */
function findsMany(violations: number, ...subjects: string[]): RuleReport {
  return { ...finds(...subjects), violations, mass: true }
}

/** A history that grows by a run of one rule at a time. */
function nights(): (day: number, found: RuleReport, drill?: boolean) => RuleReport {
  const records: RecordedTarget[] = []
  return (day, found, drill = false) => {
    const told = follow(found, pastOf(records), on(day))
    const place = target([told])
    records.push(
      recordOf(report([place], { run_id: `r${day}`, started_at: on(day), drill }), place, null, {}),
    )
    return told
  }
}

const changes = ({ sample }: RuleReport) =>
  Object.fromEntries(
    sample.map(({ subject_id, change, since }) => [subject_id, `${change} ${since?.slice(8, 10) ?? '?'}`]),
  )
const gone = ({ resolved }: RuleReport) =>
  resolved.map(({ subject_id, since }) => `${subject_id} ${since?.slice(8, 10) ?? '?'}`)

describe('what became of a violation', () => {
  // The first run would call everything new, and page for what may have been there for years.
  test('is unknown in the first run that judges the rule, and open from then on', () => {
    const night = nights()
    const first = night(1, finds('a'))
    expect(first).toMatchObject({ change: 'unknown', since: null })
    expect(changes(first)).toEqual({ a: 'unknown ?' })
    const second = night(2, finds('a', 'b'))
    expect(second).toMatchObject({ change: 'open', since: on(1) })
    expect(changes(second)).toEqual({ a: 'open 01', b: 'new 02' })
  })

  test('is unknown as long as no history is kept', () => {
    expect(follow(finds('a'), undefined, on(1))).toMatchObject({
      change: 'unknown',
      since: null,
      remind: false,
    })
    expect(follow(finds(), undefined, on(1))).toMatchObject({ change: null, since: null, trend: [] })
    expect(follow(drillReport('raised'), undefined, on(1))).toMatchObject({ change: 'unknown', since: null })
  })

  test('is new where the rule was clean before, open as long as it is there, and resolved when it is gone', () => {
    const night = nights()
    expect(night(1, finds())).toMatchObject({ change: null, since: null, resolved: [] })
    const second = night(2, finds('a'))
    expect(second).toMatchObject({ change: 'new', since: on(2) })
    expect(changes(second)).toEqual({ a: 'new 02' })
    const third = night(3, finds('a', 'b'))
    expect(changes(third)).toEqual({ a: 'open 02', b: 'new 03' })
    const fourth = night(4, finds('b'))
    expect(fourth).toMatchObject({ change: 'open', since: on(2) })
    expect(gone(fourth)).toEqual(['a 02'])
    const fifth = night(5, finds())
    expect(fifth).toMatchObject({ change: 'resolved', since: on(2) })
    expect(gone(fifth)).toEqual(['b 03'])
    expect(night(6, finds())).toMatchObject({ change: null, since: null, resolved: [] })
  })

  // Looking at the last run only, it would be called new.
  test('is reopened when an earlier run had it and it was gone between, however long ago', () => {
    const night = nights()
    night(1, finds())
    night(2, finds('a'))
    for (const day of [3, 4, 5, 6]) night(day, finds())
    const again = night(7, finds('a', 'b'))
    expect(again).toMatchObject({ change: 'reopened', since: on(7) })
    expect(changes(again)).toEqual({ a: 'reopened 07', b: 'new 07' })
    expect(changes(night(8, finds('a')))).toEqual({ a: 'open 07' })
  })

  test('is told by its fingerprint: another subject of the same rule is new', () => {
    const night = nights()
    night(1, finds('a'))
    const moved = night(2, finds('b'))
    expect(changes(moved)).toEqual({ b: 'new 02' })
    expect(gone(moved)).toEqual(['a 01'])
  })

  test('of a rule that another run judged by its screen: nothing is there', () => {
    const night = nights()
    night(1, finds('a'))
    expect(gone(night(2, rule({ judged_by: 'screen' })))).toEqual(['a 01'])
  })

  // A row that was gone at the second look is gone.
  test('is resolved by a second look too', () => {
    const night = nights()
    night(1, finds('a'))
    expect(night(2, rule({ status: 'transient', transient: 1 }))).toMatchObject({ change: 'resolved' })
  })

  // Dropping waived rows from the history would make them new on the day that the waiver ends.
  test('stays open while it is waived', () => {
    const night = nights()
    night(1, finds())
    night(2, { ...finds('a'), status: 'waived', waived: 1 })
    expect(changes(night(3, finds('a')))).toEqual({ a: 'open 02' })
  })
})

describe('a run that could not judge the rule', () => {
  // Taking it for a clean one would resolve everything, and call it new the next night.
  test.each(['vacuous', 'stale', 'error', 'not_run'] as const)('%s: opens and resolves nothing', (status) => {
    const night = nights()
    night(1, finds())
    night(2, finds('a', 'b'))
    const blind = night(3, dark(status))
    expect(blind).toMatchObject({ change: 'open', since: on(2), resolved: [] })
    const back = night(4, finds('a', 'c'))
    expect(changes(back)).toEqual({ a: 'open 02', c: 'new 04' })
    expect(gone(back)).toEqual(['b 02'])
  })

  // What an emptied table still shows is there, and nobody knows since when: no change at all would leave it untold.
  test('shows what it saw as unknown where nothing was open before', () => {
    const night = nights()
    night(1, finds())
    const part = night(2, { ...finds('a'), status: 'vacuous' })
    expect(part).toMatchObject({ change: 'unknown', since: null, remind: false })
    expect(changes(part)).toEqual({ a: 'unknown ?' })
  })

  test('leaves the first judgement unknown', () => {
    const night = nights()
    expect(night(1, dark('error'))).toMatchObject({ change: null, since: null })
    expect(night(2, finds('a'))).toMatchObject({ change: 'unknown' })
  })
})

describe('more violations than the sample holds', () => {
  // Only the greatest are named: one that is not among them any more may still be there.
  test('resolve none that is merely not named', () => {
    const night = nights()
    night(1, finds())
    night(2, finds('a', 'b'))
    const mass = night(3, findsMany(500, 'b', 'c'))
    expect(mass).toMatchObject({ change: 'open', since: on(2), resolved: [] })
    expect(changes(mass)).toEqual({ b: 'open 02', c: 'new 03' })
  })

  // One that is named for the first time may have been counted before.
  test('leave it unknown who was among those that were only counted', () => {
    const night = nights()
    night(1, finds())
    night(2, findsMany(500, 'a'))
    expect(changes(night(3, findsMany(400, 'a', 'b')))).toEqual({ a: 'open 02', b: 'unknown ?' })
    const few = night(4, finds('b', 'c'))
    expect(changes(few)).toEqual({ b: 'open 03', c: 'unknown ?' })
    expect(gone(few)).toEqual(['a 02'])
  })

  test('are one incident from the first to the last', () => {
    const night = nights()
    night(1, finds())
    expect(night(2, findsMany(500, 'a'))).toMatchObject({ change: 'new', since: on(2) })
    expect(night(3, findsMany(900, 'x'))).toMatchObject({ change: 'open', since: on(2) })
    const end = night(4, finds())
    expect(end).toMatchObject({ change: 'resolved', since: on(2) })
    expect(gone(end)).toEqual(['x 03'])
  })
})

describe('a reminder', () => {
  // Every run would be a nuisance, and one that compares with the day of the month would miss a late night.
  test('of what is open comes after 1, 3 and 7 days, then weekly', () => {
    const night = nights()
    night(1, finds())
    const days = Array.from({ length: 29 }, (_, index) => index + 2)
    expect(days.filter((day) => night(day, finds('a')).remind)).toEqual([3, 5, 9, 16, 23, 30])
  })

  test('comes with the first run after its time, once', () => {
    const night = nights()
    night(1, finds())
    night(2, finds('a'))
    night(4, finds('a'))
    const [late, next] = [night(12, finds('a')), night(13, finds('a'))]
    expect([late.remind, next.remind]).toEqual([true, false])
  })

  // Since when it is open is unknown then; since when it was seen is not.
  test('comes for what the first run of all found', () => {
    const night = nights()
    night(1, finds('a'))
    expect(night(2, finds('a')).remind).toBe(true)
  })

  test('does not come for what is new again, or gone', () => {
    const night = nights()
    night(1, finds('a'))
    expect(night(2, finds()).remind).toBe(false)
    expect(night(9, finds('a')).remind).toBe(false)
  })
})

describe('the trend', () => {
  test('is the 29 runs before, oldest first, with those that could not judge', () => {
    const night = nights()
    for (let day = 1; day <= 31; day++) night(day, day === 30 ? dark('error') : finds('a'))
    const { trend } = night(32, finds())
    expect(trend).toHaveLength(29)
    expect(trend[0]).toEqual({ started_at: on(3), status: 'fail', violations: 1 })
    expect(trend[27]).toEqual({ started_at: on(30), status: 'error', violations: null })
  })
})

describe('a fire drill', () => {
  test('is new each time, even where nobody ended the last, and resolved at its end', () => {
    const night = nights()
    expect(night(1, drillReport('raised'), true)).toMatchObject({ change: 'new', since: on(1) })
    expect(night(2, drillReport('raised'), true)).toMatchObject({ change: 'new', since: on(2) })
    const end = night(3, drillReport('resolved'), true)
    expect(end).toMatchObject({ change: 'resolved', since: on(2) })
    expect(gone(end)).toEqual(['FIRE-DRILL 02'])
    const next = night(4, drillReport('raised'), true)
    expect(changes(next)).toEqual({ 'FIRE-DRILL': 'new 04' })
  })

  // Counted as a run of the real rules, it would make tonight's findings old news before anybody was told.
  test('opens, resolves and reminds nothing of the real rules', () => {
    const night = nights()
    night(1, finds('a'))
    night(2, finds(), true)
    night(2, finds('a', 'b'), true)
    const real = night(3, finds('a', 'b'))
    expect(changes(real)).toEqual({ a: 'open 01', b: 'new 03' })
    expect(real.remind).toBe(true)
    expect(real.trend).toHaveLength(1)
  })
})
