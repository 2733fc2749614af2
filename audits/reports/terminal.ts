import { createColors } from 'picocolors'
import {
  type Finding,
  findingsOf,
  SHOWN,
  sizeOf,
  type Unjudged,
  unjudgedOf,
  verdictLine,
} from './findings.ts'
import { psqlLine } from './psql-line.ts'
import type { Report, TargetReport, ViolationReport } from './report.ts'
import { counted, grouped, visible } from './words.ts'

type Colors = ReturnType<typeof createColors>

/**
 * The report for a person: what could not be judged, what failed, what was not looked at, and last the verdict.
 *
 * @param color whether the reader shows ANSI colours
 */
export function renderTerminal(report: Report, { color }: { readonly color: boolean }): string {
  const colors = createColors(color)
  const { bold, dim, red, yellow, green } = colors
  const unjudged = unjudgedOf(report)
  const findings = findingsOf(report)
  const gating = findings.filter(({ gates }) => gates)
  const minor = findings.filter(({ gates }) => !gates)
  const paint = { ok: green, violations: red, could_not_judge: yellow }[report.verdict]
  const lines = [
    `${bold('token ledger audit')} ${dim(report.run_id)}`,
    `evidence: ${report.evidence === null ? 'none' : report.evidence.join(', ')}`,
    ...report.targets.map((target) => targetLine(target)),
    ...block(yellow(bold('COULD NOT JUDGE')), unjudged.flatMap(unjudgedLines)),
    ...block(red(bold('FAILED')), spaced(gating.map((finding) => findingLines(finding, colors)))),
    ...block(
      yellow(bold(`FAILED, BELOW --fail-on ${report.fail_on}: it does not make the verdict`)),
      spaced(minor.map((finding) => findingLines(finding, colors))),
    ),
    ...notLookedAt(report),
    '',
    paint(bold(`VERDICT  ${verdictLine(report)}`)),
  ]
  return lines.join('\n')
}

function targetLine(target: TargetReport): string {
  const judged = target.invariants.filter(({ status }) => status === 'pass' || status === 'fail').length
  const facts = [
    target.url,
    ...(target.server === null ? [] : [`${target.server} ${target.standby ? 'standby' : 'primary'}`]),
    ...(target.as_of === null ? [] : [`as of ${target.as_of}`]),
    ...(target.stage === null ? [] : [`stage ${target.stage}`]),
    `${counted(judged, 'rule')} judged`,
  ]
  return visible(`target ${target.name}: ${facts.join(', ')}`)
}

function unjudgedLines({ target, rules, problem }: Unjudged): string[] {
  const what = rules.length === 0 ? 'the whole target' : rules.map(({ id }) => id).join(', ')
  const number = rules.length > 1 ? `${counted(rules.length, 'rule')}: ` : ''
  const status = [...new Set(rules.map((rule) => rule.status.replace('_', ' ')))].join(', ')
  return [
    visible(`  ${target.name} · ${number}${what}${status === '' ? '' : ` · ${status}`}`),
    visible(`    ${problem}`),
  ]
}

function findingLines({ target, rule }: Finding, { bold, dim, red, yellow }: Colors): string[] {
  const paint = rule.severity === 'minor' ? yellow : red
  const [first] = rule.sample
  const line = first && psqlLine(target, first)
  const more = (rule.violations ?? 0) - Math.min(SHOWN, rule.sample.length)
  return [
    `  ${paint(rule.severity)}  ${bold(visible(rule.title))}`,
    visible(`    ${rule.id} · ${target.name} · ${sizeOf(rule)}`),
    visible(`    why: ${rule.why}`),
    visible(`    fix: ${rule.fix}`),
    ...rule.sample.slice(0, SHOWN).map((violation) => `      ${violationLine(violation)}`),
    ...(more > 0 ? [`      and ${grouped(String(more))} more`] : []),
    ...(line === undefined ? [] : [dim(`    ${visible(line)}`)]),
  ]
}

/** `token_usage 5f… (user 9c…): detail; expected 5,000,000, actual 0; 2026-11-01T10:00:00Z` */
export function violationLine(violation: ViolationReport): string {
  const { subject_type, subject_id, user_id, detail, expected, actual, occurred_at } = violation
  const user = user_id === null || user_id === subject_id ? '' : ` (user ${user_id})`
  const when = occurred_at === null ? '' : `; ${occurred_at}`
  return visible(
    `${subject_type} ${subject_id}${user}: ${detail}; expected ${grouped(expected)}, actual ${grouped(actual)}${when}`,
  )
}

function notLookedAt({ targets }: Report): string[] {
  const lines = targets.flatMap(({ name, stage, not_applicable, needs_evidence }) => [
    ...(not_applicable.length === 0
      ? []
      : [
          `${name}: ${counted(not_applicable.length, 'rule')} without meaning at stage ${stage}: ${not_applicable.join(', ')}`,
        ]),
    ...(needs_evidence.length === 0
      ? []
      : [
          `${name}: ${counted(needs_evidence.length, 'rule')} not judged without evidence: ${needs_evidence.join(', ')}`,
        ]),
  ])
  return lines.length === 0 ? [] : ['', ...lines.map(visible)]
}

function block(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines]
}

function spaced(groups: readonly (readonly string[])[]): string[] {
  return groups.flatMap((lines, index) => (index === 0 ? lines : ['', ...lines]))
}
