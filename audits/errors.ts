import { relative } from 'node:path'

/**
 * Bad usage or configuration: nothing was run. Exit 3.
 *
 * `problems` holds one line each: what, where, what to do.
 */
export class UsageError extends Error {
  readonly problems: readonly string[]

  constructor(problems: string | readonly string[]) {
    const lines = typeof problems === 'string' ? [problems] : problems
    super(lines.join('\n'))
    this.name = 'UsageError'
    this.problems = lines
  }
}

/** A path as messages name it: from the working directory where it lies below that. */
export function shown(path: string): string {
  const short = relative(process.cwd(), path)
  return short === '' || short.startsWith('..') ? path : short
}
