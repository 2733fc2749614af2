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
    screened: { seeds: ['1234567890123456789'], full: null },
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
        rule({ id: 'forgiven', status: 'waived', violations: 1, users: 1, impact: '5' }),
        rule({ id: 'gone', status: 'transient' }),
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

const LAST_NIGHT = '2026-11-01T03:17:00.000Z'

/** A night that is compared with those before it: new, open, reopened, resolved, waived, settled. */
export const HISTORY = report(
  [
    target(
      [
        failed(2, {
          id: 'balance-is-ledger-sum',
          title: 'The balance of every user is the sum of the user’s ledger',
          change: 'new',
          since: '2026-11-02T03:17:00.000Z',
          trend: TREND.map((run) => ({ ...run, status: 'pass', violations: 0 })),
          sample: [
            violation({ change: 'new', since: '2026-11-02T03:17:00.000Z' }),
            violation({ subject_id: 'invoice:in_2', change: 'new', since: '2026-11-02T03:17:00.000Z' }),
          ],
        }),
        failed(3, {
          id: 'evidence-has-grant',
          change: 'open',
          since: '2026-10-25T03:17:00.000Z',
          remind: true,
          waived: 1,
          transient: 4,
          lapsed: ['the waiver LED-12 (audits/waivers.yml:14) ended on 2026-11-01'],
          trend: TREND,
          resolved: [
            {
              fingerprint: '0'.repeat(64),
              subject_type: 'grant_key',
              subject_id: 'invoice:in_9',
              user_id: ANN,
              since: LAST_NIGHT,
            },
          ],
        }),
        failed(5_000, { id: 'running-balance-chain', change: 'reopened', since: LAST_NIGHT, trend: TREND }),
        rule({
          id: 'overdraft',
          status: 'waived',
          violations: 2,
          waived: 2,
          users: 1,
          impact: '7',
          change: 'open',
          since: LAST_NIGHT,
        }),
        rule({ id: 'drip-adds-up', status: 'transient', transient: 3 }),
        rule({
          id: 'one-grant-per-fact',
          judged_by: 'screen',
          change: 'resolved',
          since: LAST_NIGHT,
          trend: TREND,
          resolved: [
            {
              fingerprint: '1'.repeat(64),
              subject_type: 'invoice',
              subject_id: 'in_7',
              user_id: ANN,
              since: LAST_NIGHT,
            },
          ],
        }),
      ],
      {
        warnings: ['this was a standby in the last run and is a primary now: it was promoted'],
        skipped: [{ id: 'used-counter-is-usage', reason: 'the counter is retired, LED-7' }],
        freshness: { by: 'replay', age_ms: 61_000 },
        screened: { seeds: ['1234567890123456789', '-42'], full: null },
      },
    ),
  ],
  { verdict: 'violations', exit: 1, history: 'kept', retried: 2 },
)
