import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, onTestFinished, vi } from 'vitest'
import { mutantNamed, prepareMutant } from '../fixtures/app/mutants.ts'
import { homeOfClusters } from '../fixtures/postgres/cluster.ts'
import { SOAK_FAULTS } from './engine/soak/faults.ts'
import { Ground } from './engine/soak/ground.ts'
import { renderSoak } from './engine/soak/render.ts'
import { type SoakOptions, soak } from './engine/soak/soak.ts'
import { runScript } from './support/run-script.ts'
import { test } from './support/test.ts'

/** One by which each fault comes soon. */
const SEED = 22
/** Nobody waits longer for what must be found: so many deliveries take some ten seconds. */
const MOST = 3_000

describe('a soak', () => {
  let ground: Ground
  beforeAll(async () => {
    ground = await Ground.start()
  })
  afterAll(() => ground?.close())

  const soaked = async (app: string, sql: string | undefined, goesOn: SoakOptions['goesOn']) => {
    const plot = await ground.plot(sql)
    return soak({ plot, app, seed: SEED, goesOn, signal: new AbortController().signal })
  }

  // Catches a soak in which nothing goes wrong and nobody looks: it would be green whatever the app does.
  test('of the repaired app is green, and everything was done to it', { timeout: 90_000 }, async () => {
    const all = await soaked('repaired', undefined, ({ figures, faults, looks }) => {
      const isEnough =
        figures.deliveries >= 300 && looks.ok > 0 && SOAK_FAULTS.every((how) => faults.hit[how] > 0)
      return !isEnough && figures.deliveries < MOST
    })
    expect(all.violations, renderSoak(all)).toEqual([])
    expect(all.doubts).toEqual([])
    expect(all.reckoning).toMatchObject({ lost: [], doubled: [], balances: [] })
    expect(all.reckoning?.grants).toBeGreaterThan(10)
    for (const how of SOAK_FAULTS) expect(all.faults.hit[how], how).toBeGreaterThan(0)
    const { overlapped, repeated, refused } = all.figures
    for (const n of [overlapped, repeated, refused, all.looksMeanwhile]) expect(n).toBeGreaterThan(0)
  })

  test.for([
    // Two writers at once: no plan of the exploration is so dense. The audit of the standby finds it meanwhile.
    ['sql-select-then-insert', MOST, /^(running-balance|balance-is|used-counter)/, / — soak-22-user-\d+ /],
    // Refuses the second event of a year for ever, and nothing is wrong in the ledger: Stripe goes on for three days.
    [
      'sql-annual-no-dedup',
      200,
      /^\S+ evt_\w+ was refused \d+ times, at last with nothing to disturb it: 500/,
      / evt_\w+, attempt \d+: 500 after \d+ ms/,
    ],
    // Grants each pack under a key that nobody asks for: found when all is delivered, by what was paid.
    [
      'pack-key-of-event',
      200,
      // Or by the standby's audit meanwhile, where two events have told of one purchase.
      /^(owed, and not in token_usage: token_pack_purchase of [\d,]+ to user \S+ for checkout_session:cs_|one-grant-per-fact )/,
      / checkout\.session\.\w+ +evt_\w+.*: 200 after \d+ ms/,
    ],
  ] as const)(
    'of %s stops with a violation, and tells of the user',
    { timeout: 90_000 },
    async ([name, most, says, tells]) => {
      const { appDirectory, sql, remove } = await prepareMutant(await mutantNamed(name))
      onTestFinished(remove)
      const all = await soaked(appDirectory, sql, ({ figures }) => figures.deliveries < most)
      const [first] = all.violations
      expect(first?.text, renderSoak(all)).toMatch(says)
      const [head, ...timeline] = first?.timeline ?? []
      expect(head).toMatch(/^soak-22-user-\d+, user [0-9a-f-]{36}:$/)
      expect(timeline.join('\n')).toMatch(tells)
      // And what is in the ledger.
      expect(timeline.at(-1)).toMatch(/^ {4}token_usage: \w+ [\d,]+ of soak-22-user-\d+/)
    },
  )
})

describe('npm run soak', () => {
  test.for([
    [['--minutes', '0'], /--minutes.*'0' is invalid.*above 0 and at most 30/],
    [['--seed', '-1'], /--seed.*'-1' is invalid.*must be 0 to 2147483647/],
  ] as const)('%j is wrong usage', async ([args, says]) => {
    const { code, err } = await runScript('scripts/soak.ts', args)
    expect(err).toMatch(says)
    expect(code).toBe(3)
  })

  // Catches a signal that leaves servers, or says that all is well.
  test('Ctrl-C ends it with the figures so far and 130, and leaves nothing', {
    timeout: 60_000,
  }, async () => {
    const child = spawn(process.execPath, ['scripts/soak.ts', '--minutes', '5'], {
      env: { ...process.env, TEST_POSTGRES: 'embedded' },
      // A group of its own, so that the signal goes to all of it, as Ctrl-C does.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const pid = child.pid as number
    onTestFinished(() => void child.kill('SIGKILL'))
    const ended = Promise.all([once(child, 'exit'), text(child.stderr)])
    let out = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    await vi.waitFor(() => expect(out).toContain('npm run soak -- --minutes 5 --seed '), 40_000)
    process.kill(-pid, 'SIGINT')
    const [[code], err] = await ended
    expect(err).toMatch(/soak: interrupted/)
    expect(out).toMatch(/ deliveries .* in \d+ s/)
    expect(out).not.toContain('all well')
    expect(code).toBe(130)
    await vi.waitFor(async () => {
      const left = (await readdir(await homeOfClusters())).filter((one) => one.includes(`-${pid}-`))
      expect(left).toEqual([])
    }, 10_000)
  })
})
