import { createHash, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Catalogue, type Invariant, pick, SEVERITIES, type Severity } from './catalogue.ts'
import { type Evidence, entitlements } from './evidence.ts'
import { psqlLine } from './psql.ts'
import type { Report, RuleReport, TargetReport, ViolationReport } from './reports/report.ts'
import { type Look, type Outcome, Session, type Surroundings } from './session.ts'
import type { Stage } from './stage.ts'
import { type Target, withoutPassword } from './targets.ts'
import { LIMITS } from './transaction.ts'
import { type Status, verdictOf } from './verdict.ts'
import type { Judgement, Violation } from './violations.ts'

export interface AuditOptions {
  readonly targets: readonly Target[]
  readonly catalogue: Catalogue
  /** Without it, the rules that need it are listed and not judged. */
  readonly evidence?: Evidence | undefined
  /** Ids of the rules to run; none: all. */
  readonly only?: readonly string[]
  /** false: nothing is given time to settle, as in a scenario, where everything has happened. */
  readonly settle?: boolean
  /** The least severity whose violations make the verdict. */
  readonly failOn?: Severity
  readonly surroundings?: Surroundings
}

const SURROUNDINGS: Surroundings = { limits: LIMITS, wait: (ms) => sleep(ms) }

/**
 * Runs the rules on every target, side by side; on one target, one after the other, critical first. A target, or a
 * rule, that can't be judged never hides another: what could not be judged is in the report, and in its verdict.
 *
 * @throws UsageError for an unknown id, an empty catalogue, or evidence that can't be judged
 */
export async function audit(options: AuditOptions): Promise<Report> {
  const { targets, catalogue, evidence, only = [], settle = true, failOn = 'major' } = options
  const started = new Date()
  const runId = `${started.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z-${randomUUID().slice(0, 8)}`
  const given = {
    rules: inOrder(pick(catalogue, only)),
    evidence: evidence === undefined ? '' : JSON.stringify(entitlements(evidence)),
    settle,
    runId,
    surroundings: options.surroundings ?? SURROUNDINGS,
  }
  const judged = await Promise.all(targets.map((target) => auditTarget(target, given)))

  const rules = judged.flatMap(({ report }) => report.invariants)
  const planned = judged.reduce((all, target) => all + target.planned, 0)
  if (rules.length !== planned) {
    throw new Error(
      `${planned} rules were planned and ${rules.length} are in the report: this is a bug of the audit`,
    )
  }
  const problems = judged.filter(({ report }) => report.problem !== null).length
  const moments = judged.flatMap(({ report }) => report.as_of ?? []).sort()
  return {
    version: 2,
    run_id: runId,
    started_at: started.toISOString(),
    finished_at: new Date().toISOString(),
    as_of: moments[0] ?? null,
    ...verdictOf(rules, problems, failOn),
    fail_on: failOn,
    evidence: evidence === undefined ? null : [...new Set(evidence.covers.map(({ kind }) => kind))],
    planned,
    executed: rules.filter(({ status }) => status !== 'not_run').length,
    retried: rules.reduce((sum, { attempts }) => sum + Math.max(attempts - 1, 0), 0),
    history: 'none',
    drill: false,
    targets: judged.map(({ report }) => report),
  }
}

interface Given {
  readonly rules: readonly Invariant[]
  readonly evidence: string
  readonly settle: boolean
  readonly runId: string
  readonly surroundings: Surroundings
}

interface Judged {
  readonly planned: number
  readonly report: TargetReport
}

async function auditTarget(target: Target, given: Given): Promise<Judged> {
  const session = new Session(target, given.runId.slice(-8), given.surroundings)
  try {
    return await judgeTarget(target, session, given)
  } finally {
    await session.close()
  }
}

async function judgeTarget(target: Target, session: Session, given: Given): Promise<Judged> {
  const { rules, evidence, settle } = given
  const outcome = await session.look()
  const seen = 'value' in outcome ? outcome.value : undefined
  const stage = seen !== undefined && 'stage' in seen.stage ? seen.stage.stage : null
  const report = {
    name: target.name,
    url: withoutPassword(target.url),
    server: seen?.server ?? null,
    standby: seen?.standby ?? null,
    database: null,
    system: null,
    stage,
    as_of: seen?.asOf ?? null,
    freshness: null,
    screened: null,
    warnings: [],
    skipped: [],
  }
  const problem = problemOf(target, outcome)
  if (problem !== null || stage === null || seen === undefined) {
    const invariants = rules.map((rule) => notRun(rule, 'the target could not be judged'))
    return {
      planned: rules.length,
      report: { ...report, problem, invariants, not_applicable: [], needs_evidence: [] },
    }
  }

  const applicable = rules.filter((rule) => rule.stages.includes(stage))
  const planned = applicable.filter((rule) => evidence !== '' || !rule.needsEvidence)
  const invariants: RuleReport[] = []
  let lost: string | undefined
  for (const rule of planned) {
    if (lost !== undefined) {
      invariants.push(notRun(rule, `the connection was lost before: ${lost}`))
      continue
    }
    const began = performance.now()
    const judgement = await session.judge(rule, {
      asOf: seen.asOf,
      settleMs: settle ? rule.settleMs : 0,
      evidence,
    })
    if ('failure' in judgement && judgement.lost) lost = judgement.failure
    invariants.push({
      ...ruleReport(rule, judgement, Math.round(performance.now() - began)),
      psql: psqlOf(judgement, report.url, stage),
    })
  }
  return {
    planned: planned.length,
    report: {
      ...report,
      problem: planned.length === 0 ? `no rule of this run can be judged at stage ${stage}` : null,
      invariants,
      not_applicable: idsOf(rules.filter((rule) => !applicable.includes(rule))),
      needs_evidence: idsOf(applicable.filter((rule) => !planned.includes(rule))),
    },
  }
}

/** Why nothing at all can be said of a target. */
function problemOf(target: Target, outcome: Outcome<Look>): string | null {
  if ('failure' in outcome) return outcome.failure
  const { stage } = outcome.value
  if ('unclear' in stage) return `the stage of this database can't be told: ${stage.unclear}`
  if (target.stage !== undefined && target.stage !== stage.stage) {
    return `this database is at stage ${stage.stage}, and it must be at ${target.stage}: was a migration rolled back, or is it another database?`
  }
  return null
}

function ruleReport(rule: Invariant, outcome: Outcome<Judgement>, ms: number): RuleReport {
  if ('failure' in outcome) {
    return { ...headOf(rule), status: 'error', attempts: outcome.attempts, ms, problem: outcome.failure }
  }
  const { population, violations, users, impact, sample } = outcome.value
  const status: Status = violations > 0 ? 'fail' : population === 0 ? 'vacuous' : 'pass'
  return {
    ...headOf(rule),
    status,
    judged_by: 'select',
    population,
    violations,
    users,
    impact,
    transient: 0,
    waived: 0,
    mass: violations > sample.length,
    change: status === 'fail' ? 'unknown' : null,
    attempts: outcome.attempts,
    ms,
    problem:
      status === 'vacuous'
        ? 'there was nothing to look at: is this the right database, and is it whole?'
        : null,
    sample: sample.map((violation) => violationReport(rule, violation)),
  }
}

function psqlOf(outcome: Outcome<Judgement>, url: string, stage: Stage): string | null {
  const [first] = 'value' in outcome ? outcome.value.sample : []
  return first === undefined ? null : psqlLine(url, stage, first)
}

function notRun(rule: Invariant, problem: string): RuleReport {
  return { ...headOf(rule), status: 'not_run', attempts: 0, ms: 0, problem }
}

function headOf({ id, file, title, severity, why, fix, unit }: Invariant) {
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
    psql: null,
    sample: [],
  }
}

function violationReport(rule: Invariant, violation: Violation): ViolationReport {
  const { subjectType, subjectId, userId, detail, expected, actual, occurredAt } = violation
  return {
    fingerprint: createHash('sha256').update([rule.id, subjectType, subjectId].join('\0')).digest('hex'),
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

/** Critical first: what a lost connection or an interruption leaves out is the least. */
function inOrder(rules: readonly Invariant[]): readonly Invariant[] {
  return rules.toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity))
}

const idsOf = (rules: readonly Invariant[]): string[] => rules.map(({ id }) => id)
