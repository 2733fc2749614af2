import { dark, failed, GREEN, report, rule, target, violation, WORST } from './examples.ts'
import type { Report, RuleReport } from './report.ts'

/** Nights for the tests of the Slack message: what changed since the last one. */

export const BEA = '00000000-0000-4000-8000-00000000000b'
const SINCE = '2026-10-30T03:17:00.000Z'

const RED = { verdict: 'violations', exit: 1, history: 'kept' } as const

/** A rule with violations that were all there before. */
export function open(count: number, change: Partial<RuleReport> = {}): RuleReport {
  const red = failed(count, { change: 'open', since: SINCE, ...change })
  return {
    ...red,
    sample: change.sample ?? red.sample.map((row) => ({ ...row, change: 'open', since: SINCE })),
  }
}

/** A rule whose violations are all new. */
export function fresh(count: number, change: Partial<RuleReport> = {}): RuleReport {
  const red = failed(count, { change: 'new', since: '2026-11-02T03:17:00.000Z', ...change })
  return { ...red, sample: change.sample ?? red.sample.map((row) => ({ ...row, change: 'new' })) }
}

/** A rule without violations, and those that it had. */
export function resolved(count: number, change: Partial<RuleReport> = {}): RuleReport {
  return rule({
    change: 'resolved',
    resolved: Array.from({ length: count }, (_, index) => {
      const { fingerprint, subject_type, subject_id, user_id } = violation({
        subject_id: `invoice:in_${index + 1}`,
      })
      return { fingerprint, subject_type, subject_id, user_id, since: SINCE }
    }),
    ...change,
  })
}

/** Violations of a user, all new. */
export function by(user: string | null, ...subjects: string[]): RuleReport['sample'] {
  return subjects.map((subject_id) => violation({ subject_id, user_id: user, change: 'new' }))
}

const TITLES = {
  'evidence-has-grant': 'What was paid was granted',
  'balance-is-ledger-sum': 'The balance is what the ledger says',
  'running-balance-chain': 'Each row goes on where the last one ended',
} as const

function titled(id: keyof typeof TITLES): Partial<RuleReport> {
  return { id, title: TITLES[id] }
}

const lost = target([dark('not_run', { problem: 'the target could not be judged' })], {
  name: 'eu',
  problem: 'connect ECONNREFUSED 10.0.0.1:6543: check host and port',
})

/** One new rule, with the violations of seven users. */
const newRule = fresh(7, {
  ...titled('evidence-has-grant'),
  users: 7,
  sample: Array.from({ length: 7 }, (_, index) => by(`user-${index}`, `invoice:in_${index + 1}`)).flat(),
})

/** One fault of one user: three rules are red. */
export const ONE_USER = report(
  [
    target([
      fresh(1, { ...titled('balance-is-ledger-sum'), sample: by(BEA, BEA) }),
      fresh(1, { ...titled('evidence-has-grant'), sample: by(BEA, 'invoice:in_9') }),
      fresh(2, { ...titled('running-balance-chain'), severity: 'major', sample: by(BEA, 'row-1', 'row-2') }),
    ]),
  ],
  RED,
)

export const NIGHTS: Readonly<Record<string, Report>> = {
  green: { ...GREEN, history: 'kept' },
  'green-first-night': GREEN,
  'open-unchanged': report([target([open(3), rule()])], RED),
  new: report([target([newRule, rule()])], RED),
  'open-reminded': report(
    [
      target([
        open(3, { ...titled('evidence-has-grant'), remind: true }),
        open(1, { ...titled('balance-is-ledger-sum') }),
        open(2, { ...titled('running-balance-chain'), since: '2026-10-31T03:17:00.000Z' }),
      ]),
    ],
    RED,
  ),
  'history-unknown': report([target([failed(2, titled('evidence-has-grant'))])], { ...RED, history: 'none' }),
  untold: report([target([open(2, titled('evidence-has-grant'))])], { ...RED, history: 'untold' }),
  resolved: report([target([resolved(2, titled('evidence-has-grant'))])], { history: 'kept' }),
  'could-not-judge': report([target([dark('error', { id: 'slow' }), rule()]), lost], {
    verdict: 'could_not_judge',
    exit: 2,
    history: 'kept',
  }),
  'waiver-lapsed': report(
    [
      target([
        open(2, {
          ...titled('balance-is-ledger-sum'),
          lapsed: ['LEDGER-12 expired on 2026-11-01'],
        }),
        rule({
          id: 'forgiven',
          status: 'waived',
          violations: 1,
          waived: 1,
          users: 1,
          impact: '5',
          change: 'open',
        }),
      ]),
    ],
    RED,
  ),
  'one-user': ONE_USER,
  drill: report(
    [
      target([
        fresh(1, {
          id: 'fire-drill',
          title: 'FIRE DRILL: this violation is made up, nothing is wrong with the ledger',
          fix: 'Nothing: say in the channel that you have seen it.',
          unit: 'drills',
          impact: '1',
          users: 0,
          psql: null,
          sample: [
            violation({ subject_type: 'drill', subject_id: 'FIRE-DRILL', user_id: null, change: 'new' }),
          ],
        }),
      ]),
    ],
    { ...RED, drill: true },
  ),
  'drill-resolved': report(
    [target([resolved(1, { id: 'fire-drill', title: 'FIRE DRILL: this violation is made up' })])],
    { history: 'kept', drill: true },
  ),
  mixed: report(
    [
      target([
        open(4, { id: 'open-minor', title: 'An old small thing', severity: 'minor' }),
        open(2, { ...titled('running-balance-chain'), remind: true }),
        newRule,
        fresh(1, {
          id: 'reopened',
          title: 'Back again',
          change: 'reopened',
          severity: 'major',
          users: 0,
          unit: 'rows',
          impact: '1',
          sample: by(null, 'guard'),
        }),
        open(3, {
          ...titled('balance-is-ledger-sum'),
          sample: [
            violation({ subject_id: 'invoice:in_1', user_id: null, change: 'open', since: SINCE }),
            violation({
              subject_id: 'invoice:in_2',
              user_id: null,
              change: 'open',
              since: SINCE,
              waived: true,
            }),
            violation({ subject_id: 'invoice:in_3', user_id: null, change: 'new' }),
          ],
          waived: 1,
        }),
        rule({
          id: 'forgiven',
          title: 'Forgiven for now',
          status: 'waived',
          change: 'new',
          violations: 1,
          waived: 1,
          users: 1,
          impact: '5',
          sample: [violation({ change: 'new', waived: true })],
        }),
        resolved(7, { id: 'mended', title: 'Mended' }),
      ]),
      lost,
    ],
    { verdict: 'could_not_judge', exit: 2, history: 'kept' },
  ),
}

/** Every rule red with 10,000 rows on three targets, each new, with a lapsed waiver, and with resolved violations. */
export const WORST_WITH_HISTORY: Report = {
  ...WORST,
  history: 'untold',
  targets: WORST.targets.map((each) => ({
    ...each,
    invariants: each.invariants.map((red) => ({
      ...red,
      change: 'new',
      lapsed: ['\u05d0\u{1f469}\u200d\u{1f4bb}<&>'.repeat(500)],
      psql: `psql "postgres://audit@db/app" -c "${'&<\u{1f600}>'.repeat(1_000)}"`,
      resolved: resolved(200).resolved.map((gone) => ({
        ...gone,
        subject_id: '\u202e`&<\u{1f600}>'.repeat(300),
      })),
    })),
  })),
}

/** Ninety targets lost, each for a long reason of its own. */
export const NINETY_LOST = report(
  Array.from({ length: 90 }, (_, n) =>
    target([dark('error')], { name: `t${n}`, problem: `${n} ${'x'.repeat(9_000)}` }),
  ),
  { verdict: 'could_not_judge', exit: 2 },
)
