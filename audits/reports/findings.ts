import { SEVERITIES } from '../catalogue.ts'
import { reaches, STATUSES } from '../verdict.ts'
import type { Report, RuleReport, TargetReport, ViolationReport } from './report.ts'
import { counted, grouped, whole } from './words.ts'

/** A rule that found violations on a target. */
export interface Finding {
  readonly target: TargetReport
  readonly rule: RuleReport
  /** Its severity is at or above --fail-on. */
  readonly gates: boolean
}

/** What could not be judged on a target, for one reason; no rules: the target as a whole. */
export interface Unjudged {
  readonly target: TargetReport
  readonly rules: readonly RuleReport[]
  readonly problem: string
}

/** Subjects that a report for people names of each rule; the JSON report has more. */
export const SHOWN = 5

/** Most severe first, then by tokens, then by users, then by number. */
export function findingsOf(report: Report): Finding[] {
  return report.targets
    .flatMap((target) =>
      target.invariants
        .filter(({ status }) => status === 'fail')
        .map((rule) => ({ target, rule, gates: reaches(rule.severity, report.fail_on) })),
    )
    .sort(
      ({ rule: a }, { rule: b }) =>
        SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
        descending(tokensOf(a), tokensOf(b)) ||
        (b.users ?? 0) - (a.users ?? 0) ||
        (b.violations ?? 0) - (a.violations ?? 0),
    )
}

/** Targets as a whole first; rules that share a reason share an entry. */
export function unjudgedOf(report: Report): Unjudged[] {
  const wholes = report.targets.flatMap((target) =>
    target.problem === null ? [] : [{ target, rules: [], problem: target.problem }],
  )
  const parts = report.targets.flatMap((target) => {
    const rules = target.invariants.filter(
      ({ status }) => !STATUSES[status].judged && (target.problem === null || status !== 'not_run'),
    )
    const problems = new Set(rules.map(problemOf))
    return [...problems].map((problem) => ({
      target,
      rules: rules.filter((rule) => problemOf(rule) === problem),
      problem,
    }))
  })
  return [...wholes, ...parts]
}

/** `3 violations, 2 users, 5,375,000 tokens` */
export function sizeOf({ violations, users, impact, unit }: RuleReport): string {
  return [
    counted(violations ?? 0, 'violation'),
    ...(users ? [counted(users, 'user')] : []),
    // A rule that counts rows, or guards, has the same number twice.
    ...(impact === null || whole(impact) === BigInt(violations ?? 0) ? [] : [`${grouped(impact)} ${unit}`]),
  ].join(', ')
}

/** The last line of every report: what a night's run says, and its exit code. */
export function verdictLine(report: Report): string {
  const { verdict, exit, targets, evidence } = report
  const all = findingsOf(report)
  const gating = all.filter(({ gates }) => gates)
  const minor = all.filter(({ gates }) => !gates)
  const aside = [
    ...(minor.length === 0 ? [] : [`${findings(minor)} below --fail-on ${report.fail_on}`]),
    ...(evidence === null ? ['the money side was not looked at: no evidence was given'] : []),
  ]
  const says = {
    ok: () =>
      `ok: ${counted(report.executed, 'rule')} on ${counted(targets.length, 'target')}, no violations`,
    violations: () => `violations: ${total(gating)}`,
    could_not_judge: () =>
      [
        `could not judge: ${unjudgedInWords(report)}`,
        ...(gating.length === 0 ? [] : [`violations besides: ${total(gating)}`]),
      ].join('; '),
  }[verdict]
  return `${[says(), ...aside].join('; ')} (exit ${exit})`
}

/**
 * Rules, users and tokens of several findings together. One fault breaks several rules, and replicas of one database
 * show it several times: so of each user only the largest figure of any one rule counts. Where a rule has more rows
 * than its sample the figures are a lower bound, and say so.
 */
function total(findings: readonly Finding[]): string {
  const rules = new Set(findings.map(({ rule }) => rule.id)).size
  const users = new Set(findings.flatMap(({ rule }) => rule.sample.flatMap(({ user_id }) => user_id ?? [])))
    .size
  const largest = new Map<string, bigint>()
  for (const { rule } of findings) {
    for (const [who, tokens] of tokensByUser(rule)) {
      if (tokens > (largest.get(who) ?? 0n)) largest.set(who, tokens)
    }
  }
  const tokens = [...largest.values()].reduce((sum, one) => sum + one, 0n)
  const leastUsers = Math.max(users, ...findings.map(({ rule }) => rule.users ?? 0))
  const leastTokens = findings.map(({ rule }) => tokensOf(rule)).reduce((a, b) => (a > b ? a : b), tokens)
  const part = findings.some(({ rule }) => (rule.violations ?? 0) > rule.sample.length)
  const figures = [
    ...(leastUsers === 0 ? [] : [counted(leastUsers, 'user')]),
    ...(leastTokens === 0n ? [] : [`${grouped(String(leastTokens))} tokens`]),
  ].join(', ')
  return [counted(rules, 'rule'), ...(figures === '' ? [] : [part ? `at least ${figures}` : figures])].join(
    ', ',
  )
}

function tokensByUser(rule: RuleReport): Map<string, bigint> {
  const sums = new Map<string, bigint>()
  if (rule.unit !== 'tokens') return sums
  for (const violation of rule.sample) {
    const who = violation.user_id ?? `${violation.subject_type} ${violation.subject_id}`
    sums.set(who, (sums.get(who) ?? 0n) + gapOf(violation))
  }
  return sums
}

function gapOf({ expected, actual }: ViolationReport): bigint {
  const gap = whole(actual) - whole(expected)
  return gap < 0n ? -gap : gap
}

function findings(minor: readonly Finding[]): string {
  const severities = new Set(minor.map(({ rule }) => rule.severity))
  return counted(minor.length, `${[...severities].join(' and ')} finding`)
}

function unjudgedInWords(report: Report): string {
  const all = unjudgedOf(report)
  const targets = new Set(all.filter(({ rules }) => rules.length === 0).map(({ target }) => target)).size
  const rules = all.reduce((sum, entry) => sum + entry.rules.length, 0)
  const words = [
    ...(targets === 0 ? [] : [`${targets} of ${counted(report.targets.length, 'target')}`]),
    ...(rules === 0 ? [] : [counted(rules, 'rule')]),
  ]
  return words.length === 0 ? 'nothing was run' : words.join(', ')
}

function problemOf({ problem, status }: RuleReport): string {
  return problem ?? STATUSES[status].means
}

function tokensOf({ impact, unit }: RuleReport): bigint {
  return unit === 'tokens' && impact !== null ? whole(impact) : 0n
}

function descending(a: bigint, b: bigint): number {
  return a === b ? 0 : a > b ? -1 : 1
}
