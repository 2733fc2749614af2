import { fingerprint } from './judged.ts'
import type { RuleReport } from './reports/report.ts'

/** The id of the rule that only a fire drill reports. */
export const DRILL = 'fire-drill'

/**
 * The made-up violation of a fire drill, or its resolution: added to a report where a rule's own would stand, so that
 * all that comes after it is the real thing. No database is asked, and none is changed.
 */
export function drillReport(state: 'raised' | 'resolved'): RuleReport {
  const raised = state === 'raised'
  const subject = { subject_type: 'drill', subject_id: 'FIRE-DRILL' }
  return {
    id: DRILL,
    file: 'audits/drill.ts',
    title: 'FIRE DRILL: this violation is made up, nothing is wrong with the ledger',
    severity: 'critical',
    why: 'Once a month it is seen that an alarm reaches somebody.',
    fix: 'Nothing: say in the channel that you have seen it.',
    unit: 'drills',
    status: raised ? 'fail' : 'pass',
    judged_by: 'select',
    population: 1,
    violations: raised ? 1 : 0,
    users: 0,
    impact: raised ? '1' : '0',
    transient: 0,
    waived: 0,
    lapsed: [],
    mass: false,
    change: raised ? 'unknown' : null,
    since: null,
    remind: false,
    resolved: [],
    trend: [],
    attempts: 1,
    ms: 0,
    problem: null,
    psql: null,
    sample: raised
      ? [
          {
            ...subject,
            fingerprint: fingerprint(DRILL, subject.subject_type, subject.subject_id),
            user_id: null,
            detail: 'made up',
            expected: '0',
            actual: '1',
            occurred_at: null,
            change: 'unknown',
            since: null,
            waived: false,
          },
        ]
      : [],
  }
}
