import { execFile } from 'node:child_process'
import { join } from 'node:path'

export interface Run {
  readonly code: number
  readonly out: string
  /** What went to stderr, one line unless help was asked for. */
  readonly err: string
}

/** `npm run migrate -- args`, as a process of its own. */
export function command(...args: string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['scripts/migrate.ts', ...args],
      { cwd: join(import.meta.dirname, '../..'), maxBuffer: 2 ** 30 },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    )
  })
}
