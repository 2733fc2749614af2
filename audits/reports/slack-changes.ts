import { STATUSES } from '../verdict.ts'
import type { Report, RuleReport, TargetReport } from './report.ts'
import { type Finding, gapOf, type Unjudged, unjudged, violated } from './words.ts'

/** Users up to this number are named one by one; a rule with more is a story of its own. */
export const USERS = 5

/** Users of one target who break the very same rules; each rule holds the violations of these users alone. */
export interface UserGroup {
  readonly target: TargetReport
  readonly users: readonly string[]
  readonly rules: readonly RuleReport[]
}

/** What a run has to tell, in the order in which it is told. */
export interface Changes {
  readonly unjudged: readonly Unjudged[]
  /** new, reopened, or of unknown history; then what is open and told again */
  readonly incidents: readonly (Finding | UserGroup)[]
  /** the same incidents, one for each rule and target */
  readonly told: readonly Finding[]
  /** rules whose violations are all waived, and which changed */
  readonly waived: readonly Finding[]
  readonly resolved: readonly Finding[]
  /** open, unchanged, and not told again: these are counted */
  readonly unchanged: readonly Finding[]
}

/** How a rule's violations stand: whether it was known of them before. */
export type Standing = 'new' | 'reopened' | 'unknown' | 'open'

/** Compares a run with what was known before it. Without history nothing is called new. */
export function changesOf(report: Report): Changes {
  const all = report.targets.flatMap((target) => target.invariants.map((rule) => ({ target, rule })))
  const red = violated(report.targets)
  const fresh = red.filter(({ rule }) => isFresh(rule, report))
  const again = red.filter(({ rule }) => !isFresh(rule, report) && isToldAgain(rule, report))
  const told = [...fresh, ...again]
  return {
    unjudged: unjudged(report.targets),
    incidents: byUser(told),
    told,
    waived: all.filter(
      ({ rule }) =>
        rule.status === 'waived' &&
        (rule.change === 'new' || rule.change === 'reopened' || news(rule) > 0 || rule.lapsed.length > 0),
    ),
    resolved: all.filter(
      ({ rule }) => STATUSES[rule.status].judged && (rule.change === 'resolved' || rule.resolved.length > 0),
    ),
    unchanged: red.filter((finding) => !told.includes(finding)),
  }
}

/** Whether there is anything to tell. */
export function isChanged({ unjudged, told, waived, resolved }: Changes): boolean {
  return [unjudged, told, waived, resolved].some((list) => list.length > 0)
}

export function standingOf({ change }: RuleReport, { history }: Report): Standing {
  if (history === 'none') return 'unknown'
  return change === null || change === 'resolved' ? 'open' : change
}

/** Violations of the sample that were not there at the last conclusive run. */
export function news({ sample }: RuleReport): number {
  return sample.filter(({ change }) => change === 'new' || change === 'reopened').length
}

/** By how many violations a rule has grown, or shrunk, of which there are too many to follow one by one. */
export function growth(rule: RuleReport): number {
  const before = lastJudged(rule)?.violations
  return rule.mass && before != null ? (rule.violations ?? 0) - before : 0
}

/** All was waived at the last conclusive run, and is not any more: a waiver has expired, was exceeded or taken out. */
export function isUncovered(rule: RuleReport): boolean {
  return rule.status === 'fail' && lastJudged(rule)?.status === 'waived'
}

/** The last run before this one that judged the rule. */
export function lastJudged({ trend }: RuleReport): RuleReport['trend'][number] | undefined {
  return trend.findLast(({ status }) => STATUSES[status].judged)
}

function isFresh(rule: RuleReport, report: Report): boolean {
  return standingOf(rule, report) !== 'open' || news(rule) > 0 || growth(rule) > 0
}

function isToldAgain(rule: RuleReport, { history }: Report): boolean {
  return rule.remind || rule.lapsed.length > 0 || isUncovered(rule) || history === 'untold'
}

/**
 * One corrupted user often breaks several rules: that is one story. A rule is folded into stories when all its users
 * have one; a rule with many users, or with violations that have none, stays as it is.
 */
function byUser(findings: readonly Finding[]): (Finding | UserGroup)[] {
  const broken = new Map<string, { target: TargetReport; user: string; findings: Finding[] }>()
  for (const finding of findings.filter(isSmall)) {
    for (const user of usersOf(finding.rule)) {
      const key = keyOf(finding.target, user)
      const entry = broken.get(key) ?? { target: finding.target, user, findings: [] }
      entry.findings.push(finding)
      broken.set(key, entry)
    }
  }
  const groups = new Map<string, { target: TargetReport; users: string[]; findings: Finding[] }>()
  const grouped = new Set<string>()
  for (const [who, { target, user, findings }] of broken) {
    if (findings.length < 2) continue
    grouped.add(who)
    const key = keyOf(target, ...findings.map(({ rule }) => rule.id))
    const group = groups.get(key) ?? { target, users: [], findings }
    group.users.push(user)
    groups.set(key, group)
  }
  const isFolded = (finding: Finding) =>
    isSmall(finding) && usersOf(finding.rule).every((user) => grouped.has(keyOf(finding.target, user)))
  const worthwhile = [...groups.values()].filter((group) => group.findings.some(isFolded))
  return findings.flatMap((finding) => [
    ...worthwhile
      .filter(({ findings }) => findings[0] === finding)
      .map(({ target, users, findings }) => ({
        target,
        users,
        rules: findings.map(({ rule }) => narrowed(rule, users)),
      })),
    ...(isFolded(finding) ? [] : [finding]),
  ])
}

function isSmall({ rule }: Finding): boolean {
  const { sample, violations } = rule
  return (
    violations === sample.length &&
    sample.every(({ user_id }) => user_id !== null) &&
    usersOf(rule).length <= USERS
  )
}

function usersOf({ sample }: RuleReport): string[] {
  return [...new Set(sample.flatMap(({ user_id }) => user_id ?? []))]
}

function keyOf({ name }: TargetReport, ...parts: string[]): string {
  return [name, ...parts].join('\0')
}

/** A rule with the violations of these users alone. */
function narrowed(rule: RuleReport, users: readonly string[]): RuleReport {
  if (usersOf(rule).length === users.length) return rule
  const sample = rule.sample.filter(({ user_id }) => user_id !== null && users.includes(user_id))
  return {
    ...rule,
    sample,
    violations: sample.length,
    users: users.length,
    waived: sample.filter(({ waived }) => waived).length,
    impact: String(sample.reduce((sum, violation) => sum + gapOf(violation), 0n)),
    // The line shows the first violation of the whole sample.
    psql: sample[0] === rule.sample[0] ? rule.psql : null,
  }
}
