import { SEVERITIES } from '../catalogue.ts'
import { duration } from '../freshness.ts'
import { STATUSES } from '../verdict.ts'
import type { RuleReport, TargetReport, ViolationReport } from './report.ts'

/** Subjects that a message names of each violated rule. */
export const SUBJECTS = 5

/** A rule's report, and the target that it is about. */
export interface Finding {
  readonly target: TargetReport
  readonly rule: RuleReport
}

/** Violated rules: by severity, then by tokens, then by users. */
export function violated(targets: readonly TargetReport[]): readonly Finding[] {
  return targets
    .flatMap((target) => target.invariants.map((rule) => ({ target, rule })))
    .filter(({ rule }) => STATUSES[rule.status].gates)
    .sort(
      ({ rule: a }, { rule: b }) =>
        SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
        Number(tokensOf(b) - tokensOf(a)) ||
        (b.users ?? 0) - (a.users ?? 0) ||
        (b.violations ?? 0) - (a.violations ?? 0),
    )
}

/** What could not be judged on a target, for one reason; no rules: the target as a whole. */
export interface Unjudged {
  readonly target: TargetReport
  readonly rules: readonly RuleReport[]
  readonly problem: string
}

/** What could not be judged. Rules that share a reason share an entry; those of a lost target are not repeated. */
export function unjudged(targets: readonly TargetReport[]): readonly Unjudged[] {
  return targets.flatMap((target) => {
    if (target.problem !== null) return [{ target, rules: [], problem: target.problem }]
    const rules = target.invariants.filter(({ status }) => !STATUSES[status].judged)
    return [...new Set(rules.map(problemOf))].map((problem) => ({
      target,
      rules: rules.filter((rule) => problemOf(rule) === problem),
      problem,
    }))
  })
}

function problemOf({ status, problem }: RuleReport): string {
  return `${status.replace('_', ' ')}: ${problem ?? STATUSES[status].means}`
}

/** e.g. `3 violations, 7,000,000 tokens, 2 users`. A rule that counts rows has the same number twice: once is enough. */
export function measureOf({ violations, impact, unit, users }: RuleReport): string {
  return [
    plural(violations ?? 0, 'violation'),
    ...(impact === null || impact === String(violations) ? [] : [`${group(impact)} ${unit}`]),
    ...(users === null || users === 0 ? [] : [plural(users, 'user')]),
  ].join(', ')
}

/** One violation in one line, which is no longer than a person reads. */
export function violationLine({
  subject_type,
  subject_id,
  detail,
  expected,
  actual,
}: ViolationReport): string {
  const subject = `${subject_type} ${shortened(subject_id, 200)}`
  return printable(`${subject}: ${shortened(detail, 300)} (expected ${group(expected)}, is ${group(actual)})`)
}

function shortened(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}…`
}

/** What is known of a target besides its rules. */
export function targetLine({ server, standby, stage, as_of, freshness }: TargetReport): string {
  return [
    ...(server === null ? [] : [`${server}${standby ? ', standby' : ''}`]),
    ...(stage === null ? [] : [`stage ${stage}`]),
    ...(as_of === null ? [] : [`as of ${as_of}`]),
    ...(freshness === null || freshness.by === 'primary' ? [] : [freshnessOf(freshness)]),
  ].join(' · ')
}

function freshnessOf({ by, age_ms }: NonNullable<TargetReport['freshness']>): string {
  const what = by === 'heartbeat' ? 'heartbeat' : 'last replayed transaction'
  return age_ms === null ? `${what} unknown` : `${what} ${duration(age_ms)} old`
}

/** What must be known of a target and changes no verdict, a line each. */
export function targetNotes({ warnings, skipped, screened }: TargetReport): readonly string[] {
  return [
    ...warnings.map((warning) => `warning: ${warning}`),
    ...skipped.map(({ id, reason }) => `skipped: ${id}: ${reason}`),
    ...(screened === null
      ? []
      : [
          screened.full === null
            ? `screened, with the seeds ${screened.seeds.join(' and ')}`
            : `every select was run: ${screened.full}`,
        ]),
  ]
}

/** What became of a rule's violations, e.g. `open since 2026-11-01`; null: nothing to tell. */
export function changeOf({ change, since }: RuleReport): string | null {
  if (change === 'unknown') return 'history unknown'
  return change === 'open' && since !== null ? `open since ${since.slice(0, 10)}` : change
}

/** What belongs to a rule's figures: waived, settled, too many to follow. */
export function remarksOf({ waived, transient, mass, lapsed }: RuleReport): readonly string[] {
  return [
    ...(waived ? [`${group(String(waived))} of them waived`] : []),
    ...(transient ? [`${group(String(transient))} more were gone at the second look`] : []),
    ...(mass ? ['too many to follow one by one'] : []),
    ...lapsed,
  ]
}

/** Rules with nothing but waived rows, or with what settled, or with what is resolved: told, and no finding. */
export function quiet({ invariants }: TargetReport): readonly string[] {
  return invariants.flatMap((rule) => [
    ...(rule.status === 'waived' ? [`waived: ${rule.id}: ${measureOf(rule)}`] : []),
    ...(rule.status === 'transient'
      ? [`settled: ${rule.id}: ${plural(rule.transient ?? 0, 'violation')} gone at the second look`]
      : []),
    ...(rule.change === 'resolved' || rule.resolved.length > 0
      ? [`resolved: ${rule.id}: ${resolvedOf(rule)}`]
      : []),
  ])
}

function resolvedOf({ resolved }: RuleReport): string {
  const ids = resolved.slice(0, SUBJECTS).map(({ subject_id }) => shortened(subject_id, 80))
  const left = resolved.length - ids.length
  return ids.length === 0 ? 'all' : `${ids.join(', ')}${left > 0 ? ` and ${left} more` : ''}`
}

/** How many rules ended how, e.g. `38 pass, 1 fail`. */
export function statusCounts(rules: readonly RuleReport[]): string {
  return Object.keys(STATUSES)
    .map((status) => [status, rules.filter((rule) => rule.status === status).length] as const)
    .filter(([, count]) => count > 0)
    .map(([status, count]) => `${count} ${status}`)
    .join(', ')
}

/** Thousands apart: 5,000,000. Takes the digits as they are, no number is made of them. */
export function group(number: string): string {
  const [whole = '', fraction] = number.split('.')
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',')
  return fraction === undefined || /^0*$/.test(fraction) ? grouped : `${grouped}.${fraction}`
}

export function plural(count: number, word: string): string {
  return `${group(String(count))} ${word}${count === 1 ? '' : 's'}`
}

/** Takes out what would move a cursor, break a line, or turn the direction of writing. */
export function printable(text: string): string {
  return text
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
    .toWellFormed()
}

/** The size of a violation: |actual − expected|, whole tokens. */
export function gapOf({ expected, actual }: ViolationReport): bigint {
  const gap = whole(actual) - whole(expected)
  return gap < 0n ? -gap : gap
}

/** The tokens that a rule's violations are about; 0 where it counts something else. */
export function tokensOf({ unit, impact }: RuleReport): bigint {
  return unit === 'tokens' && impact !== null ? whole(impact) : 0n
}

/** Tokens are whole; Postgres may still have written them with a point. */
function whole(number: string): bigint {
  return BigInt(number.split('.')[0] ?? '')
}
