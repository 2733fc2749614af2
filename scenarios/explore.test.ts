import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, inject, onTestFinished, vi } from 'vitest'
import { mutantNamed, prepareMutant } from '../fixtures/app/mutants.ts'
import { Arena, lineOf, type Run } from './engine/explore/arena.ts'
import { explore, playerIn, sayFailure } from './engine/explore/explore.ts'
import { KINDS_OF_PROCESSES, type Kind } from './engine/explore/kinds.ts'
import { tasksOf } from './engine/explore/tasks.ts'
import { renderPerformance } from './engine/outcome.ts'
import { parsePlan } from './engine/plan.ts'
import { storiesNamed } from './engine/stories.ts'
import type { Story } from './engine/story.ts'
import { test } from './support/test.ts'

/**
 * A fixed part of what `npm run explore` plays: all of these kinds for these stories. What overlaps takes the turn from
 * somebody at most once.
 */
const FIXED: readonly (readonly [story: string, kinds: readonly Kind[]])[] = [
  [
    'pack-paid',
    ['shape', 'fault', 'overlap', 'late', 'redelivery', 'overlap-3', 'overlap-fault', 'stripe', 'hangs'],
  ],
  ['pack-paid', ['killed', 'restart']],
  ['admin-grant-and-deduct', ['overlap']],
  ['annual-start', ['shape']],
]

const [PACK] = storiesNamed(['pack-paid']) as [Story]

describe('the repaired app, whatever comes twice, late, in another order, disturbed or at the same time', () => {
  for (const [name, kinds] of FIXED) {
    test(`${name}: ${kinds.join(', ')}`, { timeout: 120_000 }, async ({ database }) => {
      const arena = await Arena.open((await database('unified')).url, 'repaired', {
        ownProcess: kinds.some((kind) => KINDS_OF_PROCESSES.includes(kind)),
      })
      try {
        const [story] = storiesNamed([name]) as [Story]
        const failed: Run[] = []
        const tasks = tasksOf([[story, await arena.measure(story)]], kinds).flat()
        const { runs, left } = await explore([playerIn(arena, 1)], tasks, {
          onRun: (_, run) => {
            if (run.complaints.length > 0) failed.push(run)
          },
        })
        expect(failed.map((run) => `${sayFailure(run)}\n${lineOf('repaired', run)}`)).toEqual([])
        expect(left).toBe(0)
        // The plans of a kind do not get fewer unseen.
        for (const kind of kinds) expect(runs.get(kind), kind).toBeGreaterThan(0)
      } finally {
        await arena.close()
      }
    })
  }
})

const SAME_TWICE = parsePlan('overlap 1.5+1.5 AABB')

// Would catch: a wait for a lock that is taken for a stop, or a fault that never hits: everything would be green.
test('the app as found is red where a delivery comes again at the same time', async ({ database }) => {
  const arena = await Arena.open((await database('as-found')).url, 'as-found')
  try {
    const { red } = await arena.run(PACK, SAME_TWICE)
    expect(red).toContain('one-grant-per-fact')
  } finally {
    await arena.close()
  }
})

// Would catch: the end of one delivery's backend that is taken for an answer to the other, which then waits for ever.
test('a backend that ends while the same delivery is taken elsewhere harms nobody', async ({ database }) => {
  const arena = await Arena.open((await database('unified')).url, 'repaired')
  try {
    const [year] = storiesNamed(['annual-start']) as [Story]
    const { complaints } = await arena.run(year, parsePlan('fault 1.5 1 ended; overlap 1.5+1.5 AB'))
    expect(complaints).toEqual([])
  } finally {
    await arena.close()
  }
})

// Would catch: a Stripe that stands still while a delivery is taken, so that nothing older is ever written last.
test('what begins before a later step holds what Stripe said then, and an app that does not look again writes that last', async ({
  database,
}) => {
  const [trial] = storiesNamed(['trial-cancelled']) as [Story]
  const late = parsePlan('overlap 1.11+2.2 AAAB')
  const complaintsOf = async (app: string) => {
    const arena = await Arena.open((await database('unified')).url, app)
    onTestFinished(() => arena.close())
    return (await arena.run(trial, late)).complaints
  }
  const { appDirectory, remove } = await prepareMutant(
    await mutantNamed('subscription-versions-not-compared'),
  )
  onTestFinished(remove)
  expect(await complaintsOf('repaired')).toEqual([])
  expect(await complaintsOf(appDirectory)).toContainEqual(
    expect.stringMatching(/^customer_subscriptions of sub_\w+: status should be canceled, but is trialing$/),
  )
})

// Would catch: an overlap in the middle of another, whose turns are lost: a run is green by a plan that was not played.
test.for([
  [
    'trial-cancelled',
    'overlap 1.11+2.2 AAAB; overlap 2.1+2.1 AB',
    '2.1 comes while others overlap: nothing else can happen to it',
  ],
  [
    'trial-cancelled',
    'fault 2.1 1 fails; overlap 1.11+2.2 AAAB',
    '2.1 comes while others overlap: nothing else can happen to it',
  ],
  ['conflicting-user', 'overlap 1.6+2.1 AAAAAAAAB', '2.1: step 2 has 0 deliveries or requests'],
] as const)('%s: %s is refused', async ([name, form, says], { database }) => {
  const arena = await Arena.open((await database('unified')).url, 'repaired')
  onTestFinished(() => arena.close())
  const [story] = storiesNamed([name]) as [Story]
  await expect(arena.run(story, parsePlan(form))).rejects.toThrow(says)
})

test('the timeline of deliveries that overlap tells whose statement waited for whom', async ({
  database,
}) => {
  const arena = await Arena.open((await database('unified')).url, 'repaired')
  try {
    const { performance } = await arena.run(PACK, SAME_TWICE, { isWatched: true })
    const grants = renderPerformance(performance)
      .split('\n')
      .filter((line) => / (select public\.grant_token_pack|commit)/.test(line))
      .map((line) => line.trim().replace(/\(.*(?= [→…] )/, ''))
    // Postgres answers A's commit and B's grant at the same moment.
    expect(grants.filter((line) => line.startsWith('| A'))).toEqual([
      '| A  select public.grant_token_pack … stops before a write',
      '| A  select public.grant_token_pack → SELECT 1',
      '| A  commit → COMMIT',
    ])
    expect(grants.filter((line) => line.startsWith('| B'))).toEqual([
      '| B  select public.grant_token_pack … waits for a lock',
      '| B  select public.grant_token_pack → SELECT 1',
      '| B  commit → COMMIT',
    ])
    expect(grants.indexOf('| B  select public.grant_token_pack … waits for a lock')).toBe(1)
  } finally {
    await arena.close()
  }
})

describe('npm run explore', () => {
  // Would catch: Ctrl-C that ends it without a word, or with "all as told" of what was not played.
  test('interrupted before anything was played says so, and ends with 130', async () => {
    const child = spawn(process.execPath, ['scripts/explore.ts'], {
      env: { ...process.env, TEST_POSTGRES: inject('postgresUrl') },
      // A group of its own, so that the signal goes to all of it, as Ctrl-C does.
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    let out = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    await vi.waitFor(() => expect(out).toContain('not played: restart'), 20_000)
    process.kill(-(child.pid as number), 'SIGINT')
    const [code] = await once(child, 'exit')
    expect(out).toMatch(
      /^0 runs of repaired .*; interrupted before anything was played: nothing was judged$/m,
    )
    expect(code).toBe(130)
  })
})
