import { createHash } from 'node:crypto'
import type { Report, RuleReport, TargetReport, ViolationReport } from './report.ts'

/** Reports for the renderers' tests. */

const ANN = '00000000-0000-4000-8000-00000000000a'

export function violation(change: Partial<ViolationReport> = {}): ViolationReport {
  const subject = { subject_type: 'grant_key', subject_id: 'invoice:in_1', ...change }
  return {
    fingerprint: createHash('sha256')
      .update(`r\0${subject.subject_type}\0${subject.subject_id}`)
      .digest('hex'),
    user_id: ANN,
    detail: 'paid, and not granted',
    expected: '5000000',
    actual: '0',
    occurred_at: '2026-11-01T10:00:00.123456Z',
    change: 'unknown',
    since: null,
    waived: false,
    ...subject,
    ...change,
  }
}

export function rule(change: Partial<RuleReport> = {}): RuleReport {
  const id = change.id ?? 'a-rule'
  return {
    id,
    file: `audits/invariants/${id}.sql`,
    title: 'A rule holds',
    severity: 'critical',
    why: 'A customer paid and got nothing.',
    fix: 'Send the event again.',
    status: 'pass',
    judged_by: 'select',
    population: 1_234,
    violations: 0,
    users: 0,
    impact: '0',
    unit: 'tokens',
    transient: 0,
    waived: 0,
    lapsed: [],
    mass: false,
    change: null,
    since: null,
    remind: false,
    resolved: [],
    trend: [],
    attempts: 1,
    ms: 12,
    problem: null,
    psql: null,
    sample: [],
    ...change,
  }
}

/** A violated rule with so many violations, each of 5,000,000 tokens; the sample ends at 200. */
export function failed(count: number, change: Partial<RuleReport> = {}): RuleReport {
  return rule({
    status: 'fail',
    change: 'unknown',
    mass: count > 200,
    violations: count,
    users: 1,
    impact: String(5_000_000n * BigInt(count)),
    psql: `psql "postgres://audit@db/app" -c "select 1"`,
    sample: Array.from({ length: Math.min(count, 200) }, (_, index) =>
      violation({ subject_id: `invoice:in_${index + 1}` }),
    ),
    ...change,
  })
}

/** A rule that could not be judged. */
export function dark(
  status: 'vacuous' | 'stale' | 'error' | 'not_run',
  change: Partial<RuleReport> = {},
): RuleReport {
  const nothing = {
    judged_by: null,
    population: null,
    violations: null,
    users: null,
    impact: null,
    transient: null,
    waived: null,
  }
  return rule({
    status,
    ...nothing,
    problem: 'canceling statement due to conflict with recovery (40001)',
    ...change,
  })
}

export function target(invariants: readonly RuleReport[], change: Partial<TargetReport> = {}): TargetReport {
  return {
    name: 'prod',
    url: 'postgres://audit@db.example.com:6543/app?sslmode=require',
    server: 'PostgreSQL 17.6',
    standby: true,
    database: 'app',
    system: '7561234567890123456',
    stage: 'unify',
    as_of: '2026-11-02T03:16:59.000001Z',
    freshness: { by: 'heartbeat', age_ms: 31_000 },
    screened: { seed: '1234567890123456789', full: null },
    problem: null,
    warnings: [],
    invariants: [...invariants],
    not_applicable: [],
    needs_evidence: [],
    skipped: [],
    ...change,
  }
}

export function report(targets: readonly TargetReport[], change: Partial<Report> = {}): Report {
  const rules = targets.flatMap(({ invariants }) => invariants)
  return {
    version: 2,
    run_id: '20261102T031700Z-0a1b2c3d',
    started_at: '2026-11-02T03:17:00.000Z',
    finished_at: '2026-11-02T03:17:04.500Z',
    as_of: targets[0]?.as_of ?? null,
    verdict: 'ok',
    exit: 0,
    fail_on: 'major',
    evidence: ['checkout_session', 'invoice', 'trial'],
    planned: rules.length,
    executed: rules.filter(({ status }) => status !== 'not_run').length,
    retried: 0,
    history: 'none',
    drill: false,
    targets: [...targets],
    ...change,
  }
}

/** A quiet night. */
export const GREEN = report([target([rule(), rule({ id: 'b-rule' })], { not_applicable: ['old-rule'] })])

/** Every status, two targets, one of them lost; ids and names as a broken database, or a joker, may write them. */
export const MIXED = report(
  [
    target(
      [
        rule(),
        failed(1, {
          id: 'overdraft',
          severity: 'minor',
          title: 'No use beyond the balance',
          unit: 'rows',
          impact: '1',
          users: 0,
          psql: null,
          sample: [
            violation({ subject_type: 'guard', subject_id: 'index x', user_id: null, occurred_at: null }),
          ],
        }),
        failed(2, { id: 'small', title: 'A small one', impact: '20.50', users: 2 }),
        failed(7, { id: 'large', title: 'A large one' }),
        failed(7, { id: 'guard', severity: 'major', title: 'A guard', unit: 'rows', impact: '7', users: 0 }),
        failed(1, {
          id: 'strange',
          severity: 'major',
          title: 'Strange <names> & `ticks` | pipes',
          sample: [
            violation({
              subject_id: 'cs_<!channel>|`*_~\u001b[31m\u202e"\'&\n]]>',
              detail: 'é 日本 \u{1f600} \ud800',
            }),
          ],
        }),
        failed(1, {
          id: 'forgiven',
          status: 'waived',
          waived: 1,
          impact: '5',
          sample: [violation({ waived: true })],
        }),
        rule({ id: 'gone', status: 'transient', transient: 1 }),
        dark('error', { id: 'slow' }),
        dark('error', { id: 'slow-too' }),
        dark('vacuous', {
          id: 'empty',
          severity: 'minor',
          population: 0,
          violations: 0,
          users: 0,
          impact: '0',
          problem: 'there was nothing to look at',
        }),
        dark('stale', { id: 'old', problem: 'the data is 3 hours old' }),
      ],
      { not_applicable: ['as-found-rule'], needs_evidence: ['evidence-has-grant', 'grant-has-evidence'] },
    ),
    target([dark('not_run', { problem: 'the target could not be judged' })], {
      name: 'eu',
      url: 'postgres://audit@eu.example.com:6543/app',
      server: null,
      standby: null,
      database: null,
      system: null,
      stage: null,
      as_of: null,
      freshness: null,
      screened: null,
      problem: 'connect ECONNREFUSED 10.0.0.1:6543: check host and port',
    }),
  ],
  { verdict: 'could_not_judge', exit: 2, evidence: null },
)

/** Every rule red with 10,000 rows on three targets. */
export const WORST = report(
  ['us', 'eu', '\u{1f525}'.repeat(30)].map((name) =>
    target(
      Array.from({ length: 40 }, (_, index) =>
        failed(10_000, {
          id: `rule-${index}`,
          title: `${'\u{1f600}&<>'.repeat(25)} \u202e`,
          fix: '<&>'.repeat(100),
          sample: Array.from({ length: 200 }, (_, row) =>
            violation({ subject_id: `${'&\u{1f600}`'.repeat(100)}${row}`, detail: '\u05d0'.repeat(5_000) }),
          ),
        }),
      ),
      { name },
    ),
  ),
  { verdict: 'violations', exit: 1 },
)

/** The runs before: quiet, then found something, once not judged. */
const TREND: RuleReport['trend'] = Array.from({ length: 29 }, (_, index) => ({
  started_at: `2026-10-${String(index + 3).padStart(2, '0')}T03:17:00.000Z`,
  status: index < 20 ? 'pass' : index === 22 ? 'error' : 'fail',
  violations: index < 20 ? 0 : index === 22 ? null : index - 18,
}))

const TONIGHT = '2026-11-02T03:17:00.000Z'
const LAST_NIGHT = '2026-11-01T03:17:00.000Z'
const WEEK_AGO = '2026-10-25T03:17:00.000Z'

/** Violations of a rule's sample, numbered on. */
function violations(count: number, change: Partial<ViolationReport>, first = 1): ViolationReport[] {
  return Array.from({ length: count }, (_, index) =>
    violation({ subject_id: `invoice:in_${first + index}`, ...change }),
  )
}

function gone(subject_type: string, subject_id: string, since: string): RuleReport['resolved'][number] {
  const { fingerprint } = violation({ subject_type, subject_id })
  return { fingerprint, subject_type, subject_id, user_id: ANN, since }
}

/** A night that is compared with those before it: new, open, reopened, resolved, waived, settled. */
export const HISTORY = report(
  [
    target(
      [
        failed(2, {
          id: 'balance-is-ledger-sum',
          title: 'The balance of every user is the sum of the user’s ledger',
          why: 'A user sees, and may spend, tokens that nothing explains.',
          fix: 'Compare the last rows of the user with the balance; correct the balance by an admin request.',
          change: 'new',
          since: TONIGHT,
          trend: TREND.map((run) => ({ ...run, status: 'pass', violations: 0 })),
          sample: violations(2, {
            subject_type: 'user',
            detail: 'the balance is not the sum of the ledger',
            change: 'new',
            since: TONIGHT,
          }),
        }),
        failed(7, {
          id: 'evidence-has-grant',
          title: 'What was paid was granted',
          impact: '30000100',
          change: 'open',
          since: WEEK_AGO,
          remind: true,
          waived: 1,
          transient: 4,
          lapsed: ['LED-12 (audits/waivers.yml:14) ended on 2026-11-01'],
          trend: TREND,
          sample: [
            ...violations(1, { change: 'open', since: WEEK_AGO, waived: true }),
            ...violations(5, { change: 'open', since: WEEK_AGO }, 2),
            // The least of all, and the only one that nobody has seen.
            ...violations(1, { change: 'new', since: TONIGHT, expected: '100' }, 7),
          ],
          resolved: [gone('grant_key', 'invoice:in_9', LAST_NIGHT)],
        }),
        failed(5_000, {
          id: 'running-balance-chain',
          title: 'Each row’s balance follows from the row before it',
          severity: 'major',
          change: 'reopened',
          since: TONIGHT,
          trend: TREND,
          mass: true,
          sample: violations(8, { change: 'reopened', since: TONIGHT }),
        }),
        failed(2, {
          id: 'overdraft',
          title: 'No use beyond the balance',
          severity: 'minor',
          status: 'waived',
          waived: 2,
          impact: '7',
          change: 'open',
          since: LAST_NIGHT,
          trend: TREND.slice(-3),
          sample: violations(2, { change: 'open', since: LAST_NIGHT, waived: true }),
        }),
        rule({ id: 'drip-adds-up', status: 'transient', transient: 3 }),
        rule({
          id: 'one-grant-per-fact',
          judged_by: 'screen',
          change: 'resolved',
          since: LAST_NIGHT,
          trend: TREND,
          resolved: [gone('invoice', 'in_7', LAST_NIGHT)],
        }),
      ],
      {
        warnings: ['this was a standby in the last run and is a primary now: it was promoted'],
        standby: false,
        skipped: [{ id: 'used-counter-is-usage', reason: 'the counter is retired, LED-7' }],
        freshness: { by: 'primary', age_ms: 0 },
        screened: { seed: '-42', full: null },
      },
    ),
  ],
  { verdict: 'violations', exit: 1, history: 'kept', retried: 2 },
)

/** A night in which nothing new is known: what was open may still be. */
export const DARK = report(
  [
    target(
      [
        dark('stale', {
          id: 'evidence-has-grant',
          problem: 'the last replayed transaction is 3 h old, more than the 15 min allowed',
          change: 'open',
          since: WEEK_AGO,
          trend: TREND,
        }),
        dark('stale', {
          id: 'overdraft',
          problem: 'the last replayed transaction is 3 h old, more than the 15 min allowed',
        }),
      ],
      {
        freshness: { by: 'replay', age_ms: 3 * 3_600_000 },
        warnings: ['no WAL receiver is running: the stream from the primary is down'],
        screened: null,
      },
    ),
    target([rule({ trend: TREND })], {
      name: 'eu',
      screened: { seed: null, full: 'not every select has been run on this target yet' },
    }),
  ],
  { verdict: 'could_not_judge', exit: 2, history: 'kept' },
)

/** A fire drill, the first one of which somebody hears. */
export const DRILLED = report(
  [
    target([
      failed(1, {
        id: 'fire-drill',
        file: 'audits/drill.ts',
        title: 'FIRE DRILL: this violation is made up, nothing is wrong with the ledger',
        why: 'Once a month it is seen that an alarm reaches somebody.',
        fix: 'Nothing: say in the channel that you have seen it.',
        unit: 'drills',
        impact: '1',
        users: 0,
        change: 'new',
        since: TONIGHT,
        psql: null,
        sample: [
          violation({
            subject_type: 'drill',
            subject_id: 'FIRE-DRILL',
            user_id: null,
            detail: 'made up',
            expected: '0',
            actual: '1',
            change: 'new',
            since: TONIGHT,
          }),
        ],
      }),
    ]),
  ],
  { verdict: 'violations', exit: 1, history: 'untold', drill: true },
)
