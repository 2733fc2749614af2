import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')

// A migration that is printed to `| head` must not end where head does, nor with a stack.
test.for(['bench', 'history', 'invariants', 'migrate', 'replay', 'start', 'waive'])(
  '%s outlives its reader',
  async (script) => {
    const line = `"$NODE" scripts/${script}.ts --help | true; echo "\${PIPESTATUS[0]}"`
    const { out, err } = await new Promise<{ out: string; err: string }>((resolve) => {
      const env = { ...process.env, NODE: process.execPath }
      execFile('bash', ['-c', line], { cwd: ROOT, env }, (_, out, err) => resolve({ out, err }))
    })
    expect({ out, err }).toEqual({ out: '0\n', err: '' })
  },
)
