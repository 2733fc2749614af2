import { duration } from '../freshness.ts'
import { STATUSES, type Status } from '../verdict.ts'
import { STYLE } from './html-style.ts'
import type { Report, RuleReport, TargetReport, ViolationReport } from './report.ts'
import { sparkline } from './sparkline.ts'
import { verdictLine, verdictWords } from './verdict-line.ts'
import {
  changeOf,
  type Finding,
  group,
  measureOf,
  plural,
  printable,
  remarksOf,
  statusCounts,
  targetNotes,
  unjudged,
  violated,
} from './words.ts'

/** Violations that are shown of a rule; the others are in the JSON report. */
const ROWS = 5

/** One page that needs nothing else: no script, no other file, readable on a phone, on paper, and by a screen reader. */
export function renderHtml(report: Report): string {
  const title = `${report.drill ? 'FIRE DRILL: ' : ''}Token audit: ${verdictWords(report)}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header class="${report.verdict}">
<h1>${text(title)}</h1>
<p class="lead">${text(verdictLine(report))}</p>
<p class="quiet">Run ${text(report.run_id)}, ${time(report.started_at)} to ${time(report.finished_at)}${retries(report)}</p>
</header>
<main>
${[changes(report), dark(report), incidents(report), resolved(report), targets(report), ...report.targets.map(rules), legend()].filter((part) => part !== '').join('\n')}
</main>
</body>
</html>
`
}

function retries({ retried }: Report): string {
  return retried === 0 ? '' : `, ${plural(retried, 'transaction')} tried again`
}

/** What is new, and what is gone, before everything else: the reader was here last night. */
function changes({ targets, history }: Report): string {
  const all = targets.flatMap(({ invariants }) => invariants)
  const of = (change: RuleReport['change']) => all.filter((rule) => rule.change === change).length
  const counted = (['new', 'reopened', 'open', 'resolved'] as const)
    .map((change) => [change, of(change)] as const)
    .filter(([, count]) => count > 0)
    .map(([change, count]) => `<li><strong>${count}</strong> ${change}</li>`)
  const unknown = of('unknown')
  const notes = [
    ...(unknown > 0
      ? [
          `Of ${plural(unknown, 'rule')} with violations it is not known since when: there is no history of them.`,
        ]
      : []),
    ...(history === 'untold' ? ['What the last run found reached nobody: it is told again.'] : []),
  ]
  if (counted.length === 0 && notes.length === 0) return ''
  return section(
    'What changed',
    `${counted.length === 0 ? '' : `<ul class="counts">${counted.join('')}</ul>`}${notes.map((note) => `<p>${text(note)}</p>`).join('')}`,
  )
}

function dark({ targets }: Report): string {
  const entries = unjudged(targets).map(({ target, rules, problem }) => {
    const what = rules.length === 0 ? 'the whole target' : rules.map(({ id }) => code(id)).join(', ')
    return `<article class="dark">
<h3><span class="badge dark">could not judge</span> ${text(target.name)}: ${what}</h3>
<p>${text(problem)}</p>
</article>`
  })
  return entries.length === 0
    ? ''
    : section(
        'Could not judge',
        `<p>Nothing is known about these: they are neither well nor broken.</p>\n${entries.join('\n')}`,
      )
}

function incidents(report: Report): string {
  const found = violated(report.targets)
  return found.length === 0 ? '' : section('Violations', found.map((finding) => incident(finding)).join('\n'))
}

function incident({ target, rule }: Finding): string {
  const shown = rule.sample.slice(0, ROWS)
  const left = (rule.violations ?? 0) - shown.length
  const change = changeOf(rule)
  const facts = [
    `<span class="badge ${rule.severity}">${rule.severity}</span>`,
    ...(change === null ? [] : [`<span class="badge change">${text(change)}</span>`]),
    text(`${target.name}, ${rule.id}`),
  ]
  return `<article>
<h3>${text(rule.title)}</h3>
<p>${facts.join(' ')}</p>
<p><strong>${text(measureOf(rule))}</strong></p>
${remarksOf(rule)
  .map((remark) => `<p class="note">${text(remark)}</p>`)
  .join('')}
<dl><dt>Why it matters</dt><dd>${text(rule.why)}</dd><dt>What to do</dt><dd>${text(rule.fix)}</dd></dl>
${table(
  `Violations of ${rule.id} on ${target.name}`,
  ['Subject', 'What is wrong', 'Expected', 'Is', 'Since'],
  shown.map(violationRow),
)}
${left > 0 ? `<p>and ${group(String(left))} more, in the JSON report</p>` : ''}
${rule.psql === null ? '' : `<p>To look at the first one:</p><pre tabindex="0"><code>${text(rule.psql)}</code></pre>`}
</article>`
}

function violationRow(violation: ViolationReport): string[] {
  const { subject_type, subject_id, detail, expected, actual, change, since, waived } = violation
  return [
    `<td>${text(subject_type)} ${code(shortened(subject_id, 200))}</td>`,
    `<td>${text(shortened(detail, 300))}${waived ? ' <span class="badge change">waived</span>' : ''}</td>`,
    `<td class="number">${group(expected)}</td>`,
    `<td class="number">${group(actual)}</td>`,
    `<td>${change === 'unknown' ? 'unknown' : `${change}${since === null ? '' : `, ${day(since)}`}`}</td>`,
  ]
}

function resolved({ targets }: Report): string {
  const entries = targets.flatMap((target) =>
    target.invariants
      .filter(({ change, resolved }) => change === 'resolved' || resolved.length > 0)
      .map((rule) => {
        const ids = rule.resolved.slice(0, ROWS).map(({ subject_id }) => code(shortened(subject_id, 80)))
        const left = rule.resolved.length - ids.length
        const named = ids.length === 0 ? '' : `: ${ids.join(', ')}${left > 0 ? ` and ${left} more` : ''}`
        return `<li>${text(`${target.name}, ${rule.title}`)}${named}</li>`
      }),
  )
  return entries.length === 0 ? '' : section('Resolved since the last run', `<ul>${entries.join('\n')}</ul>`)
}

function targets(report: Report): string {
  const rows = report.targets.map((target) => [
    `<th scope="row">${text(target.name)}</th>`,
    `<td>${text([target.server, target.standby === null ? null : target.standby ? 'standby' : 'primary'].filter(Boolean).join(', ') || 'unknown')}</td>`,
    `<td>${text(target.stage ?? 'unknown')}</td>`,
    `<td>${target.as_of === null ? 'unknown' : time(target.as_of)}</td>`,
    `<td>${text(freshness(target))}</td>`,
    `<td>${text(statusCounts(target.invariants))}</td>`,
  ])
  const notes = report.targets.flatMap((target) => [
    ...targetNotes(target).map((note) => `${target.name}: ${note}`),
    ...(target.needs_evidence.length === 0
      ? []
      : [
          `${target.name}: ${plural(target.needs_evidence.length, 'rule')} not judged, no evidence was given: ${target.needs_evidence.join(', ')}`,
        ]),
  ])
  return section(
    'Targets',
    `${table('Targets', ['Target', 'Server', 'Stage', 'Shows the moment', 'Which is known by', 'Rules'], rows)}
${notes.length === 0 ? '' : `<ul>${notes.map((note) => `<li>${text(note)}</li>`).join('\n')}</ul>`}`,
  )
}

function freshness({ freshness }: TargetReport): string {
  if (freshness === null) return 'unknown'
  if (freshness.by === 'primary') return 'its own clock: it is a primary'
  const by = freshness.by === 'heartbeat' ? 'the heartbeat' : 'its last replayed transaction'
  return freshness.age_ms === null ? `${by}, age unknown` : `${by}, ${duration(freshness.age_ms)} old`
}

function rules(target: TargetReport): string {
  if (target.invariants.length === 0) return ''
  const rows = target.invariants.map((rule) => [
    `<th scope="row">${code(rule.id)}</th>`,
    `<td><span class="badge ${tone(rule.status)}">${rule.status.replace('_', ' ')}</span></td>`,
    number(rule.population),
    number(rule.violations),
    `<td class="number">${rule.impact === null ? '–' : `${group(rule.impact)} ${text(rule.unit)}`}</td>`,
    number(rule.users),
    `<td class="number">${group(String(rule.ms))} ms${rule.judged_by === 'screen' ? ', screened' : ''}</td>`,
    `<td>${sparkline([...rule.trend, { status: rule.status, violations: rule.violations }])}</td>`,
  ])
  return section(
    `All rules on ${text(target.name)}`,
    table(
      `Rules on ${target.name}`,
      ['Rule', 'Status', 'Looked at', 'Violations', 'Impact', 'Users', 'Took', 'Last 30 runs'],
      rows,
    ),
  )
}

function number(value: number | null): string {
  return `<td class="number">${value === null ? '–' : group(String(value))}</td>`
}

function tone(status: Status): string {
  if (!STATUSES[status].judged) return 'dark'
  return STATUSES[status].gates ? 'critical' : status === 'pass' ? 'well' : 'change'
}

function legend(): string {
  const statuses = Object.entries(STATUSES).map(
    ([status, { means }]) =>
      `<dt><span class="badge ${tone(status as Status)}">${status.replace('_', ' ')}</span></dt><dd>the rule ${means}</dd>`,
  )
  return section(
    'How to read this',
    `<p>Each night every rule is asked of every target: a database that keeps the tokens which customers have bought, been granted and used. A violation is a row that should not be: a payment without its tokens, a balance that its history does not explain.</p>
<dl class="legend">${statuses.join('\n')}</dl>
<p>In the column of the last 30 runs each bar is a run, the latest on the right: high where much was found, a line at the bottom where nothing was, a hollow bar where the rule could not be judged.</p>`,
  )
}

function section(title: string, body: string): string {
  return `<section>\n<h2>${title}</h2>\n${body}\n</section>`
}

const NUMBERS = ['Expected', 'Is', 'Looked at', 'Violations', 'Impact', 'Users', 'Took']

/** On a narrow screen the table is moved inside its frame, and the page stays where it is. */
function table(name: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  return `<div class="frame" role="region" aria-label="${text(name)}" tabindex="0"><table>
<thead><tr>${head.map((cell) => `<th scope="col"${NUMBERS.includes(cell) ? ' class="number"' : ''}>${cell}</th>`).join('')}</tr></thead>
<tbody>
${rows.map((cells) => `<tr>${cells.join('')}</tr>`).join('\n')}
</tbody>
</table></div>`
}

function time(iso: string): string {
  return `<time datetime="${text(iso)}">${text(iso.slice(0, 19).replace('T', ' '))} UTC</time>`
}

function day(iso: string): string {
  return iso.slice(0, 10)
}

function shortened(value: string, most: number): string {
  return value.length <= most ? value : `${value.slice(0, most)}…`
}

function code(value: string): string {
  return `<code>${text(value)}</code>`
}

/** Text in which no browser finds markup, wherever it stands. */
function text(value: string): string {
  const escapes: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return printable(value).replaceAll(/[&<>"']/g, (character) => escapes[character] ?? '')
}
