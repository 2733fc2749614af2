import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { UsageError } from './errors.ts'
import type { History } from './history.ts'
import { pastOf } from './history.ts'
import { type RecordedTarget, recordOf } from './history-record.ts'
import { dark, failed, report, rule, target, violation } from './reports/examples.ts'
import type { RuleReport, TargetReport } from './reports/report.ts'
import { applyWaivers, readWaivers, unusedWaivers, type Waiver, type Waivers, waiverUses } from './waivers.ts'

const NOW = new Date('2026-11-02T03:17:00.000Z')
const IDS = ['a-rule', 'b-rule']
const FINGERPRINT = violation().fingerprint

async function read(text: string, now = NOW): Promise<Waivers> {
  const directory = await mkdtemp(join(tmpdir(), 'waivers-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const path = join(directory, 'waivers.yml')
  await writeFile(path, text)
  return readWaivers(path, IDS, now)
}

async function problems(text: string): Promise<readonly string[]> {
  const error = await read(text).catch((reason: unknown) => reason)
  if (!(error instanceof UsageError)) expect.fail('it was accepted')
  return error.problems.map((problem) => problem.replace(/^.*?\/waivers\.yml:/, ''))
}

const ENTRY = `# Reviewed by ann.
- invariant: a-rule
  owner: payments
  reason: credited by hand
  ticket: LED-1
  expires: 2026-11-30
  max-rows: 3
  max-impact: 15000000
`

function waiver(change: Partial<Waiver> = {}): Waiver {
  return {
    key: change.invariant ?? change.fingerprint ?? 'a-rule',
    place: 'waivers.yml:2',
    ...(change.fingerprint === undefined && { invariant: 'a-rule' }),
    ticket: 'LED-1',
    expires: '2026-11-30',
    maxRows: 3,
    maxImpact: '15000000',
    ...change,
  }
}

describe('the file of waivers', () => {
  test('is read, each entry with its line', async () => {
    expect(await read(ENTRY)).toEqual([{ ...waiver(), place: expect.stringMatching(/waivers\.yml:2$/) }])
  })

  test.each(['', '# nothing is waived\n', '[]\n'])('may hold none: %j', async (text) => {
    expect(await read(text)).toEqual([])
  })

  test('may name one target, and the same rule on another', async () => {
    const both =
      ENTRY.replace('a-rule', 'a-rule\n  target: eu') + ENTRY.replace('a-rule', 'a-rule\n  target: us')
    expect((await read(both)).map(({ key }) => key)).toEqual(['a-rule@eu', 'a-rule@us'])
  })

  // Read without its fingerprint, or without its target, it would cover nothing, or too much.
  test('may name one subject, by its fingerprint, and one target', async () => {
    const one = ENTRY.replace('invariant: a-rule', `fingerprint: "${FINGERPRINT}"\n  target: eu`)
    expect(await read(one)).toEqual([
      {
        ...waiver({ fingerprint: FINGERPRINT, target: 'eu' }),
        key: `${FINGERPRINT}@eu`,
        place: expect.stringMatching(/waivers\.yml:2$/),
      },
    ])
  })

  // A float would round it.
  test('keeps decimals as they are', async () => {
    const [found] = await read(ENTRY.replace('15000000', '"9007199254740993.10"'))
    expect(found?.maxImpact).toBe('9007199254740993.10')
  })

  // It has lapsed, and its rows are violations again: the audit runs, and says so.
  test('may hold one that has ended', async () => {
    expect(await read(ENTRY.replace('2026-11-30', '2025-01-01'))).toHaveLength(1)
  })

  test('ends at the latest on the 90th day from today, in UTC', async () => {
    expect(await read(ENTRY.replace('2026-11-30', '2027-01-31'))).toHaveLength(1)
    expect(await problems(ENTRY.replace('2026-11-30', '2027-02-01'))).toEqual([
      '6: at most 90 days from today: 2027-01-31 or before',
    ])
  })

  test.each([
    ['an unknown rule', ['a-rule', 'c-rule'], '2: there is no rule "c-rule"; npm run invariants lists them'],
    ['an unknown key', ['max-rows', 'rows'], /^\d: 0: Unrecognized key: "rows"$/],
    ['neither of the two', ['invariant: a-rule', 'target: eu'], '2: 0: either invariant or fingerprint'],
    [
      'both of the two',
      ['a-rule', `a-rule\n  fingerprint: "${FINGERPRINT}"`],
      '2: 0: either invariant or fingerprint',
    ],
    [
      'a part of a fingerprint',
      ['invariant: a-rule', 'fingerprint: 0f3c'],
      '2: 0.fingerprint: 64 hexadecimal digits, as the JSON report has them',
    ],
    [
      'more than a fingerprint at its end',
      ['invariant: a-rule', `fingerprint: "${FINGERPRINT}0"`],
      '2: 0.fingerprint: 64 hexadecimal digits, as the JSON report has them',
    ],
    [
      'more than a fingerprint at its beginning',
      ['invariant: a-rule', `fingerprint: "0${FINGERPRINT}"`],
      '2: 0.fingerprint: 64 hexadecimal digits, as the JSON report has them',
    ],
    [
      'a fingerprint that YAML takes for a number',
      ['invariant: a-rule', 'fingerprint: 12'],
      '2: 0.fingerprint: 64 hexadecimal digits, in quotes',
    ],
    [
      'a name that no target has',
      ['invariant: a-rule', 'invariant: a-rule\n  target: e u'],
      "3: 0.target: a target's name",
    ],
    [
      'no owner',
      ['  owner: payments\n', ''],
      '2: 0.owner: who answers for it; in quotes if it begins with #',
    ],
    ['an empty reason', ['credited by hand', '" "'], '4: 0.reason: why it is so'],
    [
      'a ticket that is a comment to YAML',
      ['LED-1', '#12'],
      '5: 0.ticket: where it is followed; in quotes if it begins with #',
    ],
    [
      'no day',
      ['2026-11-30', '2026-11-31'],
      '6: 0.expires: a date such as 2026-11-30: the last day on which it holds, in UTC',
    ],
    ['a day and a time', ['2026-11-30', '2026-11-30T00:00:00Z'], /^6: 0.expires: a date such as/],
    [
      'no bound on the rows',
      ['max-rows: 3', 'max-rows: many'],
      '7: 0.max-rows: a whole number: it covers no more rows',
    ],
    ['no rows', ['max-rows: 3', 'max-rows: 0'], '7: 0.max-rows: a whole number, at least 1'],
    ['words before the impact', ['15000000', 'about 5'], /^8: 0.max-impact: a whole number, or a decimal/],
    ['words after the impact', ['15000000', '5 tokens'], /^8: 0.max-impact: a whole number, or a decimal/],
    ['no bound on the impact', ['15000000', '-1'], /^8: 0.max-impact: a whole number, or a decimal/],
    [
      'an impact that YAML would round',
      ['15000000', '90071992547409931'],
      /^8: 0.max-impact: a whole number, or a decimal/,
    ],
    ['no list', ['- invariant', '  invariant'], /^2: a list of waivers$/],
    ['what is no YAML', ['owner: payments', 'owner: "payments'], /^\d: /],
  ])('is refused for %s, with its line', async (_, [from = '', to = ''], problem) => {
    const found = await problems(ENTRY.replace(from, to))
    expect(found).toContainEqual(typeof problem === 'string' ? problem : expect.stringMatching(problem))
  })

  test('is refused for two entries about the same', async () => {
    expect(await problems(ENTRY + ENTRY)).toEqual([
      expect.stringMatching(/^10: this is waived already, in .*waivers\.yml:2: change that entry$/),
    ])
  })
})

const waived = (found: RuleReport, waivers: Waivers, now = NOW) => applyWaivers(found, 'prod', waivers, now)

describe('a waiver of a rule', () => {
  test('covers all of its rows inside its bounds, and changes no number', () => {
    const found = failed(3)
    const covered = waived(found, [waiver()])
    expect(covered).toMatchObject({
      status: 'waived',
      waived: 3,
      lapsed: [],
      violations: 3,
      impact: '15000000',
    })
    expect(covered.sample.map((one) => one.waived)).toEqual([true, true, true])
  })

  test.each([
    ['another rule', waiver({ invariant: 'b-rule' })],
    ['another target', waiver({ target: 'eu' })],
  ])('does not cover %s', (_, other) => {
    expect(waived(failed(3), [other])).toEqual(failed(3))
  })

  // Covering the first three of four would hide that it gets worse.
  test.each([
    [
      'rows',
      { maxRows: 2 },
      'the waiver LED-1 (waivers.yml:2) covers at most 2 rows and 15,000,000 tokens, and there are 3 rows of 15,000,000 tokens: it covers none of them',
    ],
    [
      'impact',
      { maxImpact: '14999999.9' },
      'the waiver LED-1 (waivers.yml:2) covers at most 3 rows and 14,999,999.9 tokens, and there are 3 rows of 15,000,000 tokens: it covers none of them',
    ],
  ])('that is exceeded in its %s covers none, and says so', (_, bound, text) => {
    expect(waived(failed(3), [waiver(bound)])).toMatchObject({ status: 'fail', waived: 0, lapsed: [text] })
  })

  test('is bounded by the exact totals of a rule with more rows than its sample', () => {
    const mass = failed(10_000)
    expect(waived(mass, [waiver()])).toMatchObject({
      status: 'fail',
      waived: 0,
      lapsed: [expect.any(String)],
    })
    const wide = waiver({ maxRows: 10_000, maxImpact: '50000000000' })
    expect(waived(mass, [wide])).toMatchObject({ status: 'waived', waived: 10_000 })
    // By its sample, it would have 200 rows.
    for (const less of [{ maxRows: 9_999 }, { maxImpact: '49999999999' }]) {
      expect(waived(mass, [{ ...wide, ...less }])).toMatchObject({ status: 'fail', waived: 0 })
    }
  })

  test.each([
    ['2026-11-30T23:59:59.999Z', 'waived', 3],
    ['2026-12-01T00:00:00.000Z', 'fail', 0],
  ] as const)('holds to the end of its last day in UTC: at %s it is %s', (now, status, rows) => {
    expect(waived(failed(3), [waiver()], new Date(now))).toMatchObject({ status, waived: rows })
  })

  test('that has ended is told while its rows are there', () => {
    const [later, text] = [
      new Date('2026-12-01T00:00:00Z'),
      'the waiver LED-1 (waivers.yml:2) ended on 2026-11-30: what it covered counts again',
    ]
    expect(waived(failed(1), [waiver()], later).lapsed).toEqual([text])
    expect(waived(rule(), [waiver()], later).lapsed).toEqual([])
  })

  // It must not soften "could not judge".
  test.each([
    rule(),
    dark('error'),
    dark('not_run'),
    dark('stale'),
    dark('vacuous'),
    rule({ status: 'transient', transient: 2 }),
  ])('leaves $status as it is', (other) => {
    expect(waived(other, [waiver()])).toBe(other)
  })
})

describe('a waiver of a fingerprint', () => {
  const one = waiver({ fingerprint: FINGERPRINT, maxRows: 1, maxImpact: '5000000' })

  test('covers the rows of that subject only', () => {
    const covered = waived(failed(3), [one])
    expect(covered).toMatchObject({ status: 'fail', waived: 1, lapsed: [] })
    expect(covered.sample.map((row) => row.waived)).toEqual([true, false, false])
    expect(waived(failed(1), [one])).toMatchObject({ status: 'waived', waived: 1 })
  })

  test('is bounded by that subject alone: its rows, and the sum of their gaps', () => {
    const twice = failed(2, { sample: [violation(), violation({ expected: '0', actual: '0.5' })] })
    const bounds = { fingerprint: FINGERPRINT, maxRows: 2, maxImpact: '5000000.5' }
    expect(waived(twice, [waiver(bounds)])).toMatchObject({ status: 'waived', waived: 2 })
    expect(waived(twice, [waiver({ ...bounds, maxImpact: '5000000.4' })])).toMatchObject({
      status: 'fail',
      waived: 0,
    })
    expect(waived(twice, [waiver({ ...bounds, maxRows: 1 })])).toMatchObject({ status: 'fail', waived: 0 })
  })

  // What is not seen may be anything.
  test('never makes a rule with more rows than its sample waived', () => {
    const all = failed(200, { violations: 201, mass: true })
    const waivers = all.sample.map(({ fingerprint }) => waiver({ fingerprint }))
    expect(waived(all, waivers)).toMatchObject({ status: 'fail', waived: 200 })
  })

  test('several cover together, and one that lapsed is told only where its rows are open', () => {
    const [first, second] = failed(2).sample.map(({ fingerprint }) => fingerprint)
    const ended = waiver({ fingerprint: second ?? '', expires: '2026-11-01' })
    const live = waiver({ fingerprint: first ?? '' })
    expect(waived(failed(2), [live, ended])).toMatchObject({
      status: 'fail',
      waived: 1,
      lapsed: [expect.stringContaining('ended on 2026-11-01')],
    })
    expect(waived(failed(2), [waiver(), ended])).toMatchObject({ status: 'waived', lapsed: [] })
    // The other row is open, and the one that ended never was about it.
    const again = waiver({ fingerprint: first ?? '', key: `${first}@prod`, target: 'prod' })
    expect(waived(failed(2), [{ ...live, expires: '2026-11-01' }, again])).toMatchObject({
      status: 'fail',
      waived: 1,
      lapsed: [],
    })
  })
})

describe('a waiver that nothing needs', () => {
  /** A history that grows by a run at a time; gives back what is said of unused waivers. */
  function nights() {
    const records = new Map<string, RecordedTarget[]>()
    const past = (name: string) => pastOf(records.get(name) ?? [])
    const history = { of: past } as History
    return (targets: readonly TargetReport[], waivers: Waivers, drill = false): readonly string[] => {
      const night = report(targets, { drill })
      const unused = unusedWaivers(night, history, waivers)
      const uses = waiverUses(night, past, waivers)
      for (const one of targets) {
        records.set(one.name, [...(records.get(one.name) ?? []), recordOf(night, one, null, uses)])
      }
      return unused
    }
  }
  const prod = (...rules: RuleReport[]) => [target(rules)]
  const SAID = ['waivers.yml:2: the waiver of rule a-rule covered nothing in two runs: remove it']

  // On the first night it may have been written ahead.
  test('is told in the second run in a row', () => {
    const night = nights()
    expect(night(prod(rule()), [waiver()])).toEqual([])
    expect(night(prod(rule()), [waiver()])).toEqual(SAID)
    expect(night(prod(failed(1)), [waiver()])).toEqual([])
    expect(night(prod(rule()), [waiver()])).toEqual([])
    expect(night(prod(rule()), [waiver()])).toEqual(SAID)
  })

  test('counts only the runs that could tell', () => {
    const night = nights()
    expect(night(prod(rule()), [waiver()])).toEqual([])
    expect(night(prod(dark('error')), [waiver()])).toEqual([])
    expect(night(prod(), [waiver()])).toEqual([])
    expect(night(prod(rule()), [waiver()], true)).toEqual([])
    expect(night(prod(rule()), [waiver()])).toEqual(SAID)
  })

  test('was not unused while it was not there', () => {
    const night = nights()
    night(prod(rule()), [waiver()])
    night(prod(rule()), [])
    expect(night(prod(rule()), [waiver()])).toEqual([])
  })

  // That it no longer holds is told beside its rows; calling it superfluous at the same time would be wrong.
  test('is none that ended, or is exceeded, while its rows are there', () => {
    const lapsed = [waiver({ expires: '2026-10-01' })]
    const night = nights()
    for (const found of [failed(9), failed(9)]) expect(night(prod(found), lapsed)).toEqual([])
    night(prod(rule()), lapsed)
    expect(night(prod(rule()), lapsed)).toEqual(SAID)
  })

  test('is needed when one of its targets needs it', () => {
    const night = nights()
    const both = [target([rule()]), target([failed(1)], { name: 'eu' })]
    expect([night(both, [waiver()]), night(both, [waiver()])]).toEqual([[], []])
    const here = [waiver({ key: 'a-rule@prod', target: 'prod' })]
    expect(night(both, here)).toEqual([])
    expect(night(both, here)).toEqual([SAID[0]?.replace('a-rule', 'a-rule on prod')])
    // A run by hand on one of the two has not seen the other.
    expect(night(prod(rule()), [waiver()])).toEqual([])
  })

  // A run by hand on one target would call the waivers of all others superfluous.
  test('is none of a target that was not looked at', () => {
    const night = nights()
    const there = [waiver({ key: 'a-rule@us', target: 'us' })]
    expect([night(prod(rule()), there), night(prod(rule()), there)]).toEqual([[], []])
  })

  test('is told in the second run of its own targets, whatever other target is new', () => {
    const both = [target([rule()]), target([rule()], { name: 'eu' })]
    const everywhere = nights()
    const seen = [prod(rule()), both, both].map((targets) => everywhere(targets, [waiver()]))
    expect(seen).toEqual([[], [], SAID])
    const here = nights()
    const mine = [waiver({ key: 'a-rule@prod', target: 'prod' })]
    expect(here(prod(rule()), mine)).toEqual([])
    expect(here(both, mine)).toHaveLength(1)
  })

  test('is kept as what it was: used, unused, or unknown', () => {
    const kept = (...rules: RuleReport[]) => waiverUses(report(prod(...rules)), () => pastOf([]), [waiver()])
    expect(kept(failed(1))).toEqual({ 'a-rule': 'used' })
    expect(kept(rule())).toEqual({ 'a-rule': 'unused' })
    expect(kept(dark('error'))).toEqual({ 'a-rule': 'unknown' })
    // What another rule found says nothing of this one.
    expect(kept(rule({ id: 'b-rule' }), dark('error'))).toEqual({ 'a-rule': 'unknown' })
  })

  test('of a fingerprint: its rule has to be judged, and every row of it seen', () => {
    const waivers = [waiver({ fingerprint: FINGERPRINT, key: FINGERPRINT })]
    const said = [
      `waivers.yml:2: the waiver of fingerprint ${FINGERPRINT.slice(0, 12)}… covered nothing in two runs: remove it`,
    ]
    const night = nights()
    night(prod(failed(1), rule({ id: 'b-rule' })), waivers)
    const hidden = failed(201, { sample: failed(3).sample.slice(1), mass: true })
    expect(night(prod(hidden), waivers)).toEqual([])
    // Another rule can't hold it: that one need not have been judged.
    expect(night(prod(rule(), dark('error', { id: 'b-rule' })), waivers)).toEqual([])
    expect(night(prod(dark('error'), rule({ id: 'b-rule' })), waivers)).toEqual([])
    expect(night(prod(rule(), rule({ id: 'b-rule' })), waivers)).toEqual(said)
  })

  test('of a fingerprint that no run has named: every rule has to be judged', () => {
    const waivers = [waiver({ fingerprint: FINGERPRINT, key: FINGERPRINT })]
    const night = nights()
    const lost = [target([], { problem: 'no rule can be judged' })]
    for (const blind of [prod(rule(), dark('error', { id: 'b-rule' })), lost, lost]) {
      expect(night(blind, waivers)).toEqual([])
    }
    expect(night(prod(rule(), rule({ id: 'b-rule' })), waivers)).toEqual([])
    expect(night(prod(rule(), rule({ id: 'b-rule' })), waivers)).toHaveLength(1)
  })

  test('is not known without a history', () => {
    expect(unusedWaivers(report(prod(rule())), undefined, [waiver()])).toEqual([])
  })
})
