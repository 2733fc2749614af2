import { reaches } from '../verdict.ts'
import type { Report } from './report.ts'
import { totalOf } from './total.ts'
import { type Finding, plural, unjudged, violated } from './words.ts'

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
  ].join('; ')} (exit ${exit})`
}

/** What changed since the last run, e.g. `2 new, 1 resolved`; null where nothing did, or there is nothing to compare with. */
export function changesLine({ targets }: Report): string | null {
  const rules = targets.flatMap(({ invariants }) => invariants)
  const counted = (['new', 'reopened', 'open', 'resolved'] as const)
    .map((change) => [rules.filter((rule) => rule.change === change).length, change] as const)
    .filter(([count]) => count > 0)
    .map(([count, change]) => `${count} ${change}`)
  return counted.length === 0 ? null : `since the last run: ${counted.join(', ')}`
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
