import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { withDatabase } from '../../../fixtures/postgres/connection.ts'
import { test } from '../../support/test.ts'
import type { Plan } from '../plan.ts'
import { storiesNamed } from '../stories.ts'
import type { Story } from '../story.ts'
import { Arena, type Run } from './arena.ts'
import { plansOf } from './kinds.ts'
import { furtherTurns } from './overlap.ts'

const HANDLERS = join(import.meta.dirname, '../../../fixtures/app/handlers')
const [PACK] = storiesNamed(['pack-paid']) as [Story]

/** All turns are 24, 252, 350 and 36, of which 0, 240, 336 and 0 double: half a minute. */
const PREEMPTIONS = 1

/** The pack is in the ledger once, and on the balance once. */
function isRight({ performance: { played } }: Run): boolean {
  const { rows = [], profiles = [] } = played.at(-1)?.snapshot ?? {}
  return rows.length === 1 && profiles.some(({ balance }) => balance === 5_000_000n)
}

/**
 * Each of two techniques sees what the other is blind to: the first is right whatever overlaps, and loses grants in a
 * crash; the third survives every crash, and doubles grants where two deliveries overlap. The README shows this table, for all turns.
 */
describe('four webhooks under every crash and every overlap of two deliveries', () => {
  const table = [
    { handler: 'mark-first', crashes: 9, bad: 6, overlaps: 8, doubled: 0 },
    { handler: 'mark-last', crashes: 12, bad: 6, overlaps: 10, doubled: 6 },
    { handler: 'select-then-insert', crashes: 18, bad: 0, overlaps: 12, doubled: 8 },
    { handler: 'on-conflict', crashes: 15, bad: 0, overlaps: 10, doubled: 0 },
  ] as const
  for (const { handler, ...expected } of table) {
    test(handler, { timeout: 120_000 }, async ({ database }) => {
      const { url } = await database('as-found')
      await withDatabase(url, (client) =>
        client.query('create table public.seen_events (id text primary key)'),
      )
      const arena = await Arena.open(url, join(HANDLERS, handler))
      try {
        const anatomy = await arena.measure(PACK)
        const faults = plansOf('fault', PACK, anatomy)
        const crashed = await playAll(arena, faults)
        const [pair] = plansOf('overlap', PACK, anatomy)
        const overlapped = await allTurns(arena, pair as Plan)
        expect({
          crashes: crashed.length,
          bad: crashed.filter((run) => !isRight(run)).length,
          overlaps: overlapped.length,
          doubled: overlapped.filter((run) => !isRight(run)).length,
        }).toEqual(expected)
      } finally {
        await arena.close()
      }
    })
  }
})

async function playAll(arena: Arena, plans: readonly Plan[]): Promise<Run[]> {
  const runs: Run[] = []
  for (const plan of plans) runs.push(await arena.run(PACK, plan))
  return runs
}

async function allTurns(arena: Arena, [overlap]: Plan): Promise<Run[]> {
  if (overlap?.do !== 'overlap') throw new Error('no overlap')
  const runs: Run[] = []
  const wanted = ['']
  for (const turns of wanted) {
    const run = await arena.run(PACK, [{ ...overlap, turns }])
    runs.push(run)
    wanted.push(...furtherTurns(run.performance.decisions, turns.length, PREEMPTIONS))
  }
  return runs
}
