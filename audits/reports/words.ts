import { SEVERITIES, type Severity } from '../catalogue.ts'
import { reaches, STATUSES } from '../verdict.ts'
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
  return findings(targets, (rule) => STATUSES[rule.status].gates).toSorted(
    (a, b) =>
      SEVERITIES.indexOf(a.rule.severity) - SEVERITIES.indexOf(b.rule.severity) ||
      compareNumbers(tokensOf(b.rule), tokensOf(a.rule)) ||
      (b.rule.users ?? 0) - (a.rule.users ?? 0) ||
      (b.rule.violations ?? 0) - (a.rule.violations ?? 0),
  )
}

/** Rules that were planned and not judged; those of a target that could not be judged as a whole are not repeated. */
export function unjudged(targets: readonly TargetReport[]): readonly Finding[] {
  return findings(
    targets.filter(({ problem }) => problem === null),
    (rule) => !STATUSES[rule.status].judged,
  )
}

function findings(
  targets: readonly TargetReport[],
  which: (rule: RuleReport) => boolean,
): readonly Finding[] {
  return targets.flatMap((target) => target.invariants.filter(which).map((rule) => ({ target, rule })))
}

const VERDICTS = {
  ok: 'ALL IS WELL',
  violations: 'VIOLATIONS',
  could_not_judge: 'COULD NOT JUDGE',
} as const

/** The verdict in two or three words. */
export function verdictWords({ verdict }: Report): string {
  return VERDICTS[verdict]
}

/** The verdict, what it rests on, and what was not looked at: one line. */
export function verdictLine(report: Report): string {
  const rules = report.targets.flatMap(({ invariants }) => invariants)
  const red = violated(report.targets)
  const gating = red.filter(({ rule }) => reaches(rule.severity, report.fail_on))
  const below = red.filter(({ rule }) => !reaches(rule.severity, report.fail_on))
  const dark = unjudged(report.targets).length
  const lost = report.targets.filter(({ problem }) => problem !== null).length
  const parts: string[] = []
  if (lost > 0) parts.push(`${plural(lost, 'target')} of ${report.targets.length} not judged`)
  if (dark > 0) parts.push(`${plural(dark, 'rule')} not judged`)
  if (gating.length > 0) parts.push(`${isAre(gating.length, 'rule')} violated (${bySeverity(gating)})`)
  if (report.verdict === 'ok') {
    parts.push(
      `${plural(rules.length, 'rule')} on ${plural(report.targets.length, 'target')} found nothing${below.length > 0 ? ` at or above ${report.fail_on}` : ''}`,
    )
  }
  if (below.length > 0) parts.push(`${bySeverity(below)} below --fail-on ${report.fail_on}`)
  const noEvidence = new Set(report.targets.flatMap(({ needs_evidence }) => needs_evidence)).size
  if (noEvidence > 0) {
    parts.push(
      `the money side was not looked at: ${plural(noEvidence, 'rule')} ${noEvidence === 1 ? 'needs' : 'need'} evidence, and none was given`,
    )
  }
  return `${verdictWords(report)}: ${parts.join('; ')}. Exit ${report.exit}.`
}

/** e.g. `3 violations, 7,000,000 tokens, 2 users`. */
export function measureOf({ violations, impact, unit, users }: RuleReport): string {
  return [
    plural(violations ?? 0, 'violation'),
    `${group(impact ?? '0')} ${unit}`,
    ...(users === null || users === 0 ? [] : [plural(users, 'user')]),
  ].join(', ')
}

/** One violation in one line. */
export function violationLine({
  subject_type,
  subject_id,
  detail,
  expected,
  actual,
}: ViolationReport): string {
  return `${subject_type} ${subject_id}: ${detail} (expected ${group(expected)}, is ${group(actual)})`
}

/** What is known of a target besides its rules. */
export function targetLine({ server, standby, stage, as_of }: TargetReport): string {
  return [
    ...(server === null ? [] : [`${server}${standby ? ', standby' : ''}`]),
    ...(stage === null ? [] : [`stage ${stage}`]),
    ...(as_of === null ? [] : [`as of ${as_of}`]),
  ].join(' · ')
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

function isAre(count: number, word: string): string {
  return `${plural(count, word)} ${count === 1 ? 'is' : 'are'}`
}

function bySeverity(found: readonly Finding[]): string {
  const count = (severity: Severity) => found.filter(({ rule }) => rule.severity === severity).length
  return SEVERITIES.filter((severity) => count(severity) > 0)
    .map((severity) => `${count(severity)} ${severity}`)
    .join(', ')
}

/** Only tokens can be compared between rules. */
function tokensOf({ unit, impact }: RuleReport): string {
  return unit === 'tokens' ? (impact ?? '0') : '0'
}

function compareNumbers(a: string, b: string): number {
  const [wholeA = '', fractionA = ''] = a.split('.')
  const [wholeB = '', fractionB = ''] = b.split('.')
  const [x, y] = [BigInt(wholeA), BigInt(wholeB)]
  if (x !== y) return x < y ? -1 : 1
  const width = Math.max(fractionA.length, fractionB.length)
  return (
    Number(fractionA.padEnd(width, '0') > fractionB.padEnd(width, '0')) -
    Number(fractionA.padEnd(width, '0') < fractionB.padEnd(width, '0'))
  )
}
