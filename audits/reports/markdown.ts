import { type Finding, findingsOf, SHOWN, sizeOf, unjudgedOf, verdictLine } from './findings.ts'
import { psqlLine } from './psql-line.ts'
import type { Report, TargetReport } from './report.ts'
import { counted, grouped, visible } from './words.ts'

/** The report for the step summary of a workflow. */
export function renderMarkdown(report: Report): string {
  const sign = { ok: '✅', violations: '❌', could_not_judge: '⚠️' }[report.verdict]
  const unjudged = unjudgedOf(report)
  const findings = findingsOf(report)
  const lines = [
    `## ${sign} Token ledger audit`,
    '',
    `**${plain(verdictLine(report))}**`,
    '',
    '| target | server | stage | as of | judged |',
    '| --- | --- | --- | --- | ---: |',
    ...report.targets.map(targetRow),
    ...(unjudged.length === 0 ? [] : ['', '### Could not judge', '']),
    ...unjudged.map(({ target, rules, problem }) => {
      const what = rules.length === 0 ? 'the whole target' : rules.map(({ id }) => code(id)).join(', ')
      return `- **${plain(target.name)}**, ${what}: ${plain(problem)}`
    }),
    ...(findings.length === 0
      ? []
      : [
          '',
          '### Failed',
          '',
          '| severity | rule | target | violations | users | impact |',
          '| --- | --- | --- | ---: | ---: | ---: |',
          ...findings.map(findingRow),
        ]),
    ...findings.flatMap(findingDetails),
    ...report.targets.flatMap(notLookedAt),
    '',
    `Run ${code(report.run_id)}, evidence: ${report.evidence === null ? 'none' : report.evidence.join(', ')}`,
    '',
  ]
  return lines.join('\n')
}

function targetRow({ name, server, standby, stage, as_of, invariants }: TargetReport): string {
  const judged = invariants.filter(({ status }) => status === 'pass' || status === 'fail').length
  const kind = standby === null ? '' : standby ? ' standby' : ' primary'
  return `| ${plain(name)} | ${plain(server ?? '?')}${kind} | ${stage ?? '?'} | ${as_of ?? '?'} | ${judged} |`
}

function findingRow({ target, rule, gates }: Finding): string {
  const severity = gates ? rule.severity : `${rule.severity}, does not make the verdict`
  const { title, violations, users, impact, unit } = rule
  return `| ${severity} | ${plain(title)} | ${plain(target.name)} | ${grouped(String(violations ?? 0))} | ${grouped(String(users ?? 0))} | ${grouped(impact ?? '0')} ${unit} |`
}

function findingDetails({ target, rule }: Finding): string[] {
  const [first] = rule.sample
  const line = first && psqlLine(target, first)
  const more = (rule.violations ?? 0) - Math.min(SHOWN, rule.sample.length)
  return [
    '',
    `<details><summary>${code(rule.id)} on ${plain(target.name)}: ${sizeOf(rule)}</summary>`,
    '',
    `Why: ${plain(rule.why)}`,
    '',
    `Fix: ${plain(rule.fix)}`,
    '',
    ...rule.sample.slice(0, SHOWN).map(({ subject_type, subject_id, detail, expected, actual }) => {
      const figures = `expected ${grouped(expected)}, actual ${grouped(actual)}`
      return `- ${plain(subject_type)} ${code(subject_id)}: ${plain(detail)}; ${figures}`
    }),
    ...(more > 0 ? [`- and ${grouped(String(more))} more`] : []),
    ...(line === undefined ? [] : ['', '<pre>', plain(line), '</pre>']),
    '',
    '</details>',
  ]
}

function notLookedAt({ name, stage, not_applicable, needs_evidence }: TargetReport): string[] {
  const list = (ids: readonly string[]) => ids.map(code).join(', ')
  return [
    ...(not_applicable.length === 0
      ? []
      : [
          '',
          `${plain(name)}: ${counted(not_applicable.length, 'rule')} without meaning at stage ${stage}: ${list(not_applicable)}`,
        ]),
    ...(needs_evidence.length === 0
      ? []
      : [
          '',
          `${plain(name)}: ${counted(needs_evidence.length, 'rule')} not judged without evidence: ${list(needs_evidence)}`,
        ]),
  ]
}

/** Text that is neither mark-up nor HTML, whatever the database holds: every special character by its number. */
function plain(text: string): string {
  return visible(text).replace(/[&<>|`*_~[\]\\@]/g, (char) => `&#${char.charCodeAt(0)};`)
}

function code(text: string): string {
  return `<code>${plain(text)}</code>`
}
