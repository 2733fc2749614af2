import type { WriteStream } from 'node:tty'
import type { Progress } from '../judge-target.ts'
import { printable } from './words.ts'

/** Where an audit is, in one line that is no longer than a terminal is wide. */
export function progressLine(
  { target, rule, done, of, elapsedMs, budgetMs }: Progress,
  width: number,
): string {
  const left = Math.max(budgetMs - elapsedMs, 0)
  const line = `${done + 1} of ${of} on ${printable(target)}: ${rule}  ${seconds(elapsedMs)}, budget left ${seconds(left)}`
  return line.length < width ? line : `${line.slice(0, Math.max(width - 2, 0))}…`
}

/** Shows progress on one line of a terminal, rewritten in place; on anything else, nothing at all. */
export function progressWriter(stream: Pick<WriteStream, 'isTTY' | 'columns' | 'write'>): {
  show(progress: Progress): void
  clear(): void
} {
  const write = (text: string) => {
    if (stream.isTTY) stream.write(`\r\u001b[2K${text}`)
  }
  return {
    show: (progress) => write(progressLine(progress, stream.columns ?? 80)),
    clear: () => write(''),
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`
}
