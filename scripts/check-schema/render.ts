import { relative } from 'node:path'
import { printable } from '../../audits/reports/words.ts'
import { renderCommands } from '../../audits/reports/workflow-commands.ts'
import type { Judgement } from '../../scenarios/engine/schema-change/check.ts'
import type { Where } from '../../scenarios/engine/schema-change/finding.ts'
import { type Hold, LOADED_ROWS } from '../../scenarios/engine/schema-change/locks.ts'
import { harmsOf, sorted, verdictLine, verdictOf } from './verdict.ts'

const ROWS = LOADED_ROWS.toLocaleString('en-US')

/** For a person at a terminal; the verdict is the last line. */
export function renderTerminal(judgement: Judgement): string {
  const { findings, unjudged, holds, done } = judgement
  return [
    ...sorted(findings).flatMap(({ level, what, where }) => [
      `${level.padEnd(7)} ${oneLine(what)}`,
      ...(where === undefined ? [] : [`        ${place(where)}`]),
    ]),
    ...unjudged.map((what) => `OPEN    ${oneLine(what)}`),
    ...(holds.length === 0 ? [] : [`locks that keep writers waiting, on tables of ${ROWS} rows`]),
    ...holds.map((hold) => `        ${sayHold(hold)}  ${place(hold)}`),
    ...done,
    verdictLine(judgement),
  ]
    .map((line) => `${line}\n`)
    .join('')
}

const MARKS = { 'no harm': '✅', harm: '❌', 'could not judge': '⚠️' } as const

/** For the step summary of a workflow. */
export function renderMarkdown(judgement: Judgement): string {
  const { findings, unjudged, holds, done } = judgement
  const lines = [
    `## ${MARKS[verdictOf(judgement)]} Schema change: ${verdictLine(judgement)}`,
    ...sorted(findings).map(({ level, what, where }) => {
      return `- **${level}** ${escaped(what)}${where === undefined ? '' : ` (\`${place(where)}\`)`}`
    }),
    ...unjudged.map((what) => `- **open** ${escaped(what)}`),
    ...(holds.length === 0 ? [] : [`### Locks that keep writers waiting, on tables of ${ROWS} rows`]),
    ...holds.map((hold) => `- ${escaped(sayHold(hold))} (\`${place(hold)}\`)`),
    `<sub>${escaped(done.join('; '))}</sub>`,
  ]
  return lines
    .map((line, index) => (index > 0 && !line.startsWith('- ') ? `\n${line}\n` : `${line}\n`))
    .join('')
}

/** Annotations of the migrations, in a workflow of GitHub. */
export function renderAnnotations({ findings, unjudged }: Judgement): string {
  return renderCommands('Schema change', [
    ...unjudged.map((text) => ({ level: 'error' as const, title: 'Could not be judged', text })),
    ...harmsOf(findings).map(({ what, where }) => ({
      level: 'error' as const,
      title: 'Schema change: harm',
      text: what,
      ...(where !== undefined && { file: fromRoot(where.file), line: where.line }),
    })),
  ])
}

function sayHold({ table, mode, ms, reads, rewrites }: Hold): string {
  const meanwhile = rewrites ? ', the table is written anew' : reads ? ', the whole table is read' : ''
  return `${mode} on ${table}, ${ms} ms${meanwhile}`
}

const place = ({ file, line }: Where) => printable(`${fromRoot(file)}:${line}`)

/** As GitHub names a file: from the root of what is checked out. One that lies elsewhere keeps its name. */
function fromRoot(file: string): string {
  const path = relative(process.env.GITHUB_WORKSPACE ?? process.cwd(), file)
  return path.startsWith('..') ? file : path
}

const oneLine = (text: string) => printable(text.replaceAll(/\s*\n\s*/g, '; '))

function escaped(text: string): string {
  return oneLine(text).replaceAll(/[\\`*_{}[\]<>#|]/g, '\\$&')
}
