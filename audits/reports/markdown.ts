import type { Report, RuleReport, TargetReport } from './report.ts'
import { verdictLineWithChanges, verdictWords } from './verdict-line.ts'
import {
  changeOf,
  group,
  measureOf,
  printable,
  quiet,
  remarksOf,
  runNotes,
  shownOf,
  statusCounts,
  targetLine,
  targetNotes,
  unjudged,
  violated,
  violationLine,
  wereViolated,
} from './words.ts'

const MARKS = { ok: '✅', violations: '❌', could_not_judge: '⚠️' } as const

/** Markdown for a step summary of GitHub: the verdict first, what is well only counted. */
export function renderMarkdown(report: Report): string {
  const words = verdictWords(report)
  return `${[
    `## ${MARKS[report.verdict]} ${report.drill ? 'FIRE DRILL: ' : ''}Token audit: ${words}`,
    text(verdictLineWithChanges(report)),
    ...items(runNotes(report)),
    ...report.targets.flatMap(targetParts),
    `<sub>run ${text(report.run_id)}</sub>`,
  ].join('\n\n')}\n`
}

function targetParts(target: TargetReport): string[] {
  const facts = [targetLine(target), statusCounts(target.invariants)].filter((fact) => fact !== '')
  return [
    `### ${text(target.name)}`,
    ...(facts.length === 0 ? [] : [text(facts.join(' · '))]),
    ...items(targetNotes(target)),
    ...unjudged([target]).flatMap(({ rules, problem }) => {
      const what = rules.length === 0 ? 'the whole target' : rules.map(({ id }) => code(id)).join(', ')
      return [
        `**Could not judge** ${what}: ${text(problem)}`,
        ...items(wereViolated(rules).map((rule) => `violated when it was last judged: ${rule}`)),
      ]
    }),
    ...violated([target]).flatMap(({ rule }) => ruleParts(rule)),
    ...items(quiet(target)),
    ...listed('Not judged, no evidence was given', target.needs_evidence),
    ...listed(`Without meaning at stage ${target.stage}`, target.not_applicable),
  ]
}

function ruleParts(rule: RuleReport): string[] {
  const shown = shownOf(rule).map((violation) => `- ${text(violationLine(violation, rule))}`)
  const more = (rule.violations ?? 0) - shown.length
  const change = changeOf(rule)
  return [
    `**${rule.severity}** · ${code(rule.id)} ${text(rule.title)} · **${text(measureOf(rule))}**${change === null ? '' : ` · ${change}`}`,
    ...items(remarksOf(rule)),
    `${text(rule.why)}  \n**Fix:** ${text(rule.fix)}`,
    [...shown, ...(more > 0 ? [`- and ${group(String(more))} more`] : [])].join('\n'),
    ...(rule.psql === null ? [] : [`\`\`\`\`sh\n${printable(rule.psql)}\n\`\`\`\``]),
  ]
}

function items(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [lines.map((line) => `- ${text(line)}`).join('\n')]
}

function listed(why: string, ids: readonly string[]): string[] {
  return ids.length === 0
    ? []
    : [`<details><summary>${text(why)}: ${ids.length}</summary>\n\n${ids.map(code).join(', ')}\n\n</details>`]
}

/** Plain text: nothing in it is taken for markup. */
function text(value: string): string {
  return printable(value)
    .replaceAll(/[\\`*_[\]|#~]/g, '\\$&')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
}

function code(value: string): string {
  return `\`${printable(value).replaceAll('`', "'")}\``
}
