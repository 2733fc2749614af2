import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, inject } from 'vitest'
import { test } from './support/test.ts'

interface Ended {
  readonly exit: number
  readonly out: string
  readonly err: string
}

/** `npm start` on the server of this run. */
function start(args: readonly string[] = [], postgres = inject('postgresUrl')): Promise<Ended> {
  return new Promise((resolve) => {
    const script = join(import.meta.dirname, '../scripts/start.ts')
    const env = { ...process.env, TEST_POSTGRES: postgres, NO_COLOR: '1' }
    const child = execFile(process.execPath, [script, ...args], { env }, (_, out, err) => {
      resolve({ exit: child.exitCode ?? -1, out, err })
    })
  })
}

describe('npm start', () => {
  // A demo that prints what it expects instead of what it found.
  test('shows the findings of the token audit in tokens and users, mends them, and stays green for a month', async () => {
    const { exit, out, err } = await start()
    expect({ exit, err }).toEqual({ exit: 0, err: '' })

    const acts = out.split(/── Act \d: /)
    expect(acts).toHaveLength(5)
    const [, first = '', second = '', third = '', fourth = ''] = acts
    expect(first).toContain('token_transactions: annual_subscription_grant -5,000,000 of ann')
    expect(second).toMatch(/annual plans +1 of 5,000,000 +– +1 of 5,000,000 +–/)
    expect(second).toMatch(/28-day plans +2 of 750,000 +– +– +1 of 375,000/)
    expect(second).toMatch(/trials +1 of 1,000,000 +– +– +–/)
    expect(second).toMatch(/violations\W+7 rules/i)
    expect(third).toContain('a grant without a row')
    expect(fourth).toContain(
      'app as found      violations: 7 of 23 rules found something; 4 grants of 6,750,000 tokens, owed to 3 users, are not in token_usage',
    )
    expect(fourth).toMatch(/after the repair {2}ok: 0 of \d+ rules found something/)
    expect(fourth).toMatch(/the next month {4}ok: 0 of \d+ rules found something/)
  })

  test('names a flag that it does not know', async () => {
    const { exit, err } = await start(['--colour'])
    expect({ exit, err }).toEqual({ exit: 3, err: "start: unknown option '--colour'\n" })
  })

  test('names a TEST_POSTGRES that is none', async () => {
    const { exit, err } = await start([], 'mysql://x')
    expect(exit).toBe(3)
    expect(err).toMatch(/^start: .*TEST_POSTGRES/)
  })
})
