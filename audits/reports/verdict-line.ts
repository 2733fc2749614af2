import { reaches, STATUSES } from '../verdict.ts'
import type { Report, RuleReport } from './report.ts'
import { growth } from './slack-changes.ts'
import { totalOf } from './total.ts'
import { type Finding, isNew, isRed, plural, unjudged, violated } from './words.ts'

const VERDICTS = {
  ok: 'ALL IS WELL',
  violations: 'VIOLATIONS',
  could_not_judge: 'COULD NOT JUDGE',
} as const

/** The verdict in two or three words. */
export function verdictWords({ verdict }: Report): string {
  return VERDICTS[verdict]
}

/** The verdict, what it rests on, what was not looked at, and the exit code: one line. */
export function verdictLine(report: Report): string {
  return lineOf(report, [])
}

/** The same, and what is waived, and what changed since the last run. */
export function verdictLineWithChanges(report: Report): string {
  const changes = changesOf(report).map(({ rules, what }) => `${rules.length} ${what}`)
  return lineOf(report, [
    ...waivedInWords(report),
    ...(changes.length === 0 ? [] : [`since the last run: ${changes.join(', ')}`]),
  ])
}

function lineOf(report: Report, more: readonly string[]): string {
  const { targets, fail_on, exit, executed } = report
  const findings = violated(targets)
  const gating = findings.filter(({ rule }) => reaches(rule.severity, fail_on))
  const below = findings.filter(({ rule }) => !reaches(rule.severity, fail_on))
  const says = {
    ok: () =>
      `${plural(executed, 'rule')} on ${plural(targets.length, 'target')}, no violations${below.length === 0 ? '' : ` at or above ${fail_on}`}`,
    violations: () => totalOf(gating),
    could_not_judge: () =>
      [
        unjudgedInWords(report),
        ...(gating.length === 0 ? [] : [`violations besides: ${totalOf(gating)}`]),
      ].join('; '),
  }[report.verdict]
  return `${[
    `${verdictWords(report)}: ${says()}`,
    ...(below.length === 0 ? [] : [`${severitiesOf(below)} below --fail-on ${fail_on}`]),
    ...moneySide(report),
    ...more,
  ].join('; ')} (exit ${exit})`
}

/** Rules of one kind of change; a rule that shows it on several targets is there once. */
export interface Changed {
  readonly what: string
  readonly rules: readonly string[]
}

/**
 * What changed since the last run: ids of rules, by what became of their violations. A rule that stays open may still
 * have something new: it is told apart from those that stayed as they were. Nothing where no history is kept.
 */
export function changesOf({ targets, history }: Report): readonly Changed[] {
  if (history === 'none') return []
  const all = targets.flatMap(({ invariants }) => invariants)
  const red = all.filter(isRed)
  const open = red.filter(({ change }) => change === 'open')
  const grown = open.filter((rule) => rule.sample.some(isNew) || growth(rule) > 0)
  const kinds: [string, readonly RuleReport[]][] = [
    ['new', red.filter(({ change }) => change === 'new')],
    ['reopened', red.filter(({ change }) => change === 'reopened')],
    ['open with new violations', grown],
    ['open', open.filter((rule) => !grown.includes(rule))],
    [
      'open and not judged now',
      all.filter((rule) => !STATUSES[rule.status].judged && !isRed(rule) && rule.change === 'open'),
    ],
    ['of unknown history', red.filter(({ change }) => change === 'unknown')],
    ['resolved', all.filter(({ change }) => change === 'resolved')],
    ['resolved in part', red.filter(({ resolved }) => resolved.length > 0)],
  ]
  return kinds
    .filter(([, rules]) => rules.length > 0)
    .map(([what, rules]) => ({ what, rules: [...new Set(rules.map(({ id }) => id))] }))
}

/** What a waiver covers is no finding, and is in the ledger all the same. */
function waivedInWords({ targets }: Report): string[] {
  const rules = targets.flatMap(({ invariants }) => invariants).filter(({ waived }) => (waived ?? 0) > 0)
  const count = rules.reduce((sum, { waived }) => sum + (waived ?? 0), 0)
  return count === 0
    ? []
    : [`${plural(count, 'violation')} waived (${plural(new Set(rules.map(({ id }) => id)).size, 'rule')})`]
}

function unjudgedInWords({ targets }: Report): string {
  const entries = unjudged(targets)
  const lost = entries.filter(({ rules }) => rules.length === 0).length
  const rules = entries.reduce((sum, entry) => sum + entry.rules.length, 0)
  const words = [
    ...(lost === 0 ? [] : [`${lost} of ${plural(targets.length, 'target')}`]),
    ...(rules === 0 ? [] : [plural(rules, 'rule')]),
  ]
  return words.length === 0 ? 'nothing was run' : words.join(', ')
}

function severitiesOf(findings: readonly Finding[]): string {
  const severities = new Set(findings.map(({ rule }) => rule.severity))
  return plural(findings.length, `${[...severities].join(' and ')} finding`)
}

/** Without evidence a night may be quiet because nobody looked at what was paid. */
function moneySide({ evidence, targets }: Report): string[] {
  if (evidence !== null) return []
  const rules = new Set(targets.flatMap(({ needs_evidence }) => needs_evidence)).size
  return [
    `the money side was not looked at: no evidence was given${rules === 0 ? '' : ` (${plural(rules, 'rule')})`}`,
  ]
}
