import { createHash } from 'node:crypto'
import type { Invariant } from './catalogue.ts'
import { psqlLine } from './psql.ts'
import type { RuleReport, TargetReport, ViolationReport } from './reports/report.ts'
import type { Outcome } from './session.ts'
import type { Stage } from './stage.ts'
import type { Judgement, Violation } from './violations.ts'

/** What of a target's report a rule's report needs. */
export interface Place {
  /** Without password. */
  readonly url: string
  readonly stage: Stage
}

/** The report of a rule that was judged by its select, or could not be. */
export function judgedReport(
  rule: Invariant,
  outcome: Outcome<Judgement>,
  ms: number,
  { url, stage }: Place,
): RuleReport {
  const { attempts } = outcome
  if ('failure' in outcome) return { ...unjudgedReport(rule, 'error', outcome.failure), attempts, ms }
  const { population, violations, users, impact, sample } = outcome.value
  const [first] = sample
  return {
    ...headOf(rule),
    status: violations > 0 ? 'fail' : 'pass',
    judged_by: 'select',
    population,
    violations,
    users,
    impact,
    transient: 0,
    waived: 0,
    mass: violations > sample.length,
    change: violations > 0 ? 'unknown' : null,
    attempts,
    ms,
    psql: first === undefined ? null : psqlLine(url, stage, first),
    sample: sample.map((violation) => violationReport(rule, violation)),
  }
}

/** The report of a rule whose screen showed that its select would find nothing. */
export function screenedReport(rule: Invariant, population: number): RuleReport {
  return {
    ...headOf(rule),
    status: 'pass',
    judged_by: 'screen',
    population,
    violations: 0,
    users: 0,
    impact: '0',
    transient: 0,
    waived: 0,
    attempts: 1,
  }
}

/** The report of a rule that was not judged. */
export function unjudgedReport(
  rule: Invariant,
  status: 'stale' | 'error' | 'not_run',
  problem: string,
): RuleReport {
  return { ...headOf(rule), status, problem }
}

function headOf({ id, file, title, severity, why, fix, unit }: Invariant): Omit<RuleReport, 'status'> {
  return {
    id,
    file,
    title,
    severity,
    why,
    fix,
    unit,
    judged_by: null,
    population: null,
    violations: null,
    users: null,
    impact: null,
    transient: null,
    waived: null,
    lapsed: [],
    mass: false,
    change: null,
    since: null,
    remind: false,
    resolved: [],
    trend: [],
    attempts: 0,
    ms: 0,
    problem: null,
    psql: null,
    sample: [],
  }
}

function violationReport(rule: Invariant, violation: Violation): ViolationReport {
  const { subjectType, subjectId, userId, detail, expected, actual, occurredAt } = violation
  return {
    fingerprint: fingerprint(rule.id, subjectType, subjectId),
    subject_type: subjectType,
    subject_id: subjectId,
    user_id: userId,
    detail,
    expected,
    actual,
    occurred_at: occurredAt,
    change: 'unknown',
    since: null,
    waived: false,
  }
}

/** What a violation is known by from run to run: sha256 of rule, type and id of its subject. */
export function fingerprint(rule: string, subjectType: string, subjectId: string): string {
  return createHash('sha256').update([rule, subjectType, subjectId].join('\0')).digest('hex')
}

/** How the report of a target begins, whatever can be said of it. */
export type TargetHead = Omit<TargetReport, 'problem' | 'invariants' | 'not_applicable' | 'needs_evidence'>
