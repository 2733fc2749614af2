import pc from 'picocolors'
import type { Report, RuleReport, TargetReport } from './report.ts'
import { verdictLineWithChanges, verdictWords } from './verdict-line.ts'
import {
  changeOf,
  group,
  measureOf,
  plural,
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

const INDENT = '    '

/** The report for a person at a terminal; the verdict is the last line. */
export function renderTerminal(report: Report, { color }: { color: boolean }): string {
  const paint = pc.createColors(color)
  const drill = report.drill ? 'FIRE DRILL  ' : ''
  const lines = [`${drill}Token audit ${report.run_id}`, ...runNotes(report)]
  for (const target of report.targets) {
    lines.push('', `${paint.bold(printable(target.name))}  ${printable(target.url)}`)
    const known = targetLine(target)
    if (known !== '') lines.push(`  ${printable(known)}`)
    for (const note of targetNotes(target)) lines.push(`  ${paint.dim(printable(note))}`)
    lines.push(...targetLines(target, paint))
  }
  const last = { ok: paint.green, violations: paint.red, could_not_judge: paint.magenta }[report.verdict]
  const words = verdictWords(report)
  const line = verdictLineWithChanges(report).slice(words.length)
  lines.push('', `${drill}${last(paint.bold(paint.inverse(words)))}${line}`)
  return lines.join('\n')
}

type Paint = ReturnType<typeof pc.createColors>

function targetLines(target: TargetReport, paint: Paint): string[] {
  const lines: string[] = []
  if (target.problem === null) {
    lines.push(`  ${plural(target.invariants.length, 'rule')}: ${statusCounts(target.invariants)}`)
  }
  for (const { rules, problem } of unjudged([target])) {
    const what = rules.length === 0 ? 'the whole target' : rules.map(({ id }) => id).join(', ')
    lines.push(
      '',
      `  ${paint.magenta('could not judge')}  ${paint.bold(what)}`,
      `${INDENT}${printable(problem)}`,
      ...wereViolated(rules).map((rule) => `${INDENT}violated when it was last judged: ${rule}`),
    )
  }
  for (const { rule } of violated([target])) {
    lines.push('', ...ruleLines(rule, paint))
  }
  const told = quiet(target)
  if (told.length > 0) lines.push('', ...told.map((line) => `  ${printable(line)}`))
  const dark: [string, readonly string[]][] = [
    ['not judged, no evidence was given', target.needs_evidence],
    [`without meaning at stage ${target.stage}`, target.not_applicable],
  ]
  for (const [why, ids] of dark) {
    if (ids.length > 0) lines.push('', paint.dim(`  ${why}: ${ids.join(', ')}`))
  }
  return lines
}

function ruleLines(rule: RuleReport, paint: Paint): string[] {
  const heading = rule.severity === 'minor' ? paint.yellow : paint.red
  const shown = shownOf(rule)
  const more = (rule.violations ?? 0) - shown.length
  const change = changeOf(rule)
  return [
    `  ${heading(rule.severity)}  ${paint.bold(rule.id)}  ${printable(rule.title)}`,
    `${INDENT}${paint.bold(measureOf(rule))}${change === null ? '' : `, ${change}`}`,
    ...remarksOf(rule).map((remark) => `${INDENT}${printable(remark)}`),
    `${INDENT}why: ${printable(rule.why)}`,
    `${INDENT}fix: ${printable(rule.fix)}`,
    ...shown.map((violation) => `${INDENT}- ${violationLine(violation, rule)}`),
    ...(more > 0 ? [`${INDENT}- and ${group(String(more))} more`] : []),
    ...(rule.psql === null ? [] : [`${INDENT}${paint.dim(printable(rule.psql))}`]),
  ]
}
