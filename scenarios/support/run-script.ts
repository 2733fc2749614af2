import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { inject } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** A script of the repository as a process of its own, on the run's Postgres, without Docker. */
export function runScript(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const inherited = { ...process.env, TEST_POSTGRES: inject('postgresUrl'), DOCKER_HOST: 'tcp://127.0.0.1:9' }
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [script, ...args],
      { cwd: ROOT, env: { ...inherited, ...env } },
      (error, out, err) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err })
      },
    )
  })
}
