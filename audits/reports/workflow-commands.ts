import { printable } from './words.ts'

/** GitHub shows this many annotations of a step, and drops the others without a word. */
const SHOWN = 10

export interface Annotation {
  readonly level: 'error' | 'warning'
  readonly title: string
  readonly text: string
  /** From the root of the repository. */
  readonly file?: string
  /** 1 unless it says so. */
  readonly line?: number
}

/**
 * Workflow commands that make GitHub annotate files (GitHub's docs, "Workflow commands"): at most as many as are shown,
 * the last one says how many more there are.
 *
 * @param name of whoever speaks
 */
export function renderCommands(name: string, annotations: readonly Annotation[]): string {
  const shown = annotations.length > SHOWN ? annotations.slice(0, SHOWN - 1) : annotations
  const left = annotations.length - shown.length
  const more: Annotation[] =
    left === 0 ? [] : [{ level: 'warning', title: name, text: `and ${left} more, in the report` }]
  return [...shown, ...more].map((annotation) => `${command(annotation)}\n`).join('')
}

function command({ level, title, text, file, line = 1 }: Annotation): string {
  const properties = [
    ...(file === undefined ? [] : [`file=${property(file)}`, `line=${line}`]),
    `title=${property(title.slice(0, 200))}`,
  ]
  return `::${level} ${properties.join(',')}::${data(text.slice(0, 1_000))}`
}

function data(text: string): string {
  return printable(text).replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}
