import { SEVERITIES } from '../catalogue.ts'
import { duration } from '../freshness.ts'
import { STATUSES } from '../verdict.ts'
import type { Report, RuleReport, TargetReport, ViolationReport } from './report.ts'

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
    .filter(({ rule }) => isRed(rule))
    .sort(
      ({ rule: a }, { rule: b }) =>
        SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity) ||
        Number(tokensOf(b) - tokensOf(a)) ||
        (b.users ?? 0) - (a.users ?? 0) ||
        (b.violations ?? 0) - (a.violations ?? 0),
    )
}

/** Whether a rule found what no waiver covers, even where it could look at a part alone. */
export function isRed({ status, violations, waived }: RuleReport): boolean {
  const { gates, judged } = STATUSES[status]
  return gates || (!judged && (violations ?? 0) > (waived ?? 0))
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

/** The violations that are shown of a rule: what is new first, what is waived last, else by impact. */
export function shownOf({ sample }: RuleReport): readonly ViolationReport[] {
  const rank = (violation: ViolationReport) => (violation.waived ? 2 : isNew(violation) ? 0 : 1)
  return sample.toSorted((a, b) => rank(a) - rank(b)).slice(0, SUBJECTS)
}

/** One violation in one line, which is no longer than a person reads. */
export function violationLine(violation: ViolationReport, rule: RuleReport): string {
  const { detail, expected, actual } = violation
  const about = `${shortened(detail, 300)} (expected ${group(expected)}, is ${group(actual)})`
  const marks = [
    ...(isNew(violation) && rule.change === 'open' ? [violation.change] : []),
    ...(violation.waived && rule.status !== 'waived' ? ['waived'] : []),
  ]
  return printable([`${subjectOf(violation)}: ${about}`, ...marks].join(', '))
}

/** Whether the last conclusive run did not have it. */
export function isNew({ change }: ViolationReport): boolean {
  return change === 'new' || change === 'reopened'
}

function subjectOf({ subject_type, subject_id }: { subject_type: string; subject_id: string }): string {
  return `${shortened(subject_type, 40)} ${shortened(subject_id, 200)}`
}

export function shortened(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}…`
}

/** What is known of a target besides its rules. */
export function targetLine(target: TargetReport): string {
  const { server, stage, as_of, database, system, freshness } = target
  const place = [
    ...(database === null ? [] : [`database ${database}`]),
    ...(system === null ? [] : [`system ${system}`]),
  ]
  return [
    ...(server === null ? [] : [`${server}${roleOf(target)}`]),
    ...(place.length === 0 ? [] : [place.join(' of ')]),
    ...(stage === null ? [] : [`stage ${stage}`]),
    ...(as_of === null ? [] : [`as of ${as_of}`]),
    ...(freshness === null ? [] : [freshnessOf(freshness)]),
  ].join(' · ')
}

function roleOf({ standby }: TargetReport): string {
  if (standby === null) return ''
  return standby ? ', standby' : ', primary'
}

/** By what it is known that a target shows the present, and how old what it shows may be. */
export function freshnessOf({ by, age_ms }: NonNullable<TargetReport['freshness']>): string {
  if (by === 'primary') return 'by its own clock'
  const what = by === 'heartbeat' ? 'heartbeat' : 'last replayed transaction'
  return age_ms === null ? `${what} of unknown age` : `${what} ${duration(age_ms)} old`
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
            ? `screened, with the seed ${screened.seed}`
            : `every select was run: ${screened.full}`,
        ]),
  ]
}

/** What became of a rule's violations, e.g. `open since 2026-11-01, 2 new`; null: nothing to tell. */
export function changeOf({ change, since, sample }: RuleReport): string | null {
  if (change === 'unknown') return 'history unknown'
  if (change !== 'open') return change
  const count = (which: ViolationReport['change']) => sample.filter((one) => one.change === which).length
  return [
    since === null ? 'open' : `open since ${day(since)}`,
    ...(['new', 'reopened'] as const).flatMap((which) =>
      count(which) === 0 ? [] : [`${count(which)} ${which}`],
    ),
  ].join(', ')
}

/** What belongs to a rule's figures: waived, settled, too many to follow, waivers that lapsed. */
export function remarksOf({ status, waived, transient, mass, lapsed }: RuleReport): readonly string[] {
  return [
    ...(waived && status !== 'waived' ? [`${group(String(waived))} of them waived`] : []),
    ...(transient && status !== 'transient'
      ? [`${group(String(transient))} more gone at the second look`]
      : []),
    ...(mass ? ['too many to follow one by one: followed by number and impact'] : []),
    ...lapsed.map((waiver) => `waiver lapsed: ${waiver}`),
  ]
}

/** Of rules that could not be judged, those that were violated when they were last judged: `id, open since …`. */
export function wereViolated(rules: readonly RuleReport[]): readonly string[] {
  return rules.filter(({ change }) => change !== null).map((rule) => `${rule.id}, ${changeOf(rule)}`)
}

/** Rules with nothing but waived rows, or with what settled, or with what is resolved: told, and no finding. */
export function quiet({ invariants }: TargetReport): readonly string[] {
  return invariants.flatMap((rule) => [
    ...(isWaived(rule) ? [`waived: ${rule.id}: ${waivedOf(rule)}`] : []),
    ...(rule.status === 'transient'
      ? [`settled: ${rule.id}: ${plural(rule.transient ?? 0, 'violation')} gone at the second look`]
      : []),
    ...(isResolved(rule) ? [`resolved: ${rule.id}: ${resolvedOf(rule)}`] : []),
  ])
}

/** Whether something is gone that the last conclusive run had. */
export function isResolved({ change, resolved }: RuleReport): boolean {
  return change === 'resolved' || resolved.length > 0
}

function isWaived({ violations, waived }: RuleReport): boolean {
  return (waived ?? 0) > 0 && waived === violations
}

function waivedOf(rule: RuleReport): string {
  const about = [measureOf(rule), changeOf(rule), ...remarksOf(rule)].filter((part) => part !== null)
  return `${about.join(', ')}${namedOf(rule.sample, rule.violations ?? 0)}`
}

function resolvedOf(rule: RuleReport): string {
  const { change, since, resolved } = rule
  const all = change === 'resolved' ? `all${since === null ? '' : `, open since ${day(since)}`}` : 'some'
  return `${all}${namedOf(resolved, resolved.length)}`
}

function namedOf(subjects: readonly { subject_type: string; subject_id: string }[], count: number): string {
  const named = subjects.slice(0, SUBJECTS).map(subjectOf)
  const left = count - named.length
  return named.length === 0
    ? ''
    : `: ${named.join('; ')}${left > 0 ? `; and ${group(String(left))} more` : ''}`
}

export function day(iso: string): string {
  return iso.slice(0, 10)
}

/** What must be known of a run as a whole and changes no verdict, a line each. */
export function runNotes({ retried, history }: Report): readonly string[] {
  return [
    ...(retried === 0 ? [] : [`${plural(retried, 'transaction')} tried again`]),
    ...(history === 'untold' ? ['what the last run found reached nobody: it is told again'] : []),
  ]
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
