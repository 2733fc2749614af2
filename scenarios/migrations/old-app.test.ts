import { Client } from 'pg'
import { describe, expect } from 'vitest'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import { verify } from '../../fixtures/migrations/verify.ts'
import { IN_ORDER } from '../engine/plan.ts'
import { Play } from '../engine/play.ts'
import { annual } from '../stories/annual.ts'
import { cycles } from '../stories/cycle.ts'
import { trials } from '../stories/trial.ts'
import { test } from '../support/test.ts'

/** Stories whose every token the as-found app grants by a function: those it grants past them, unify refuses. */
const STORIES = ['annual-start', 'annual-coupon', 'cycle-start', 'trial-annual', 'trial-28day'].map(
  (wanted) => {
    const found = [...annual, ...cycles, ...trials].find(({ name }) => name === wanted)
    if (found === undefined) throw new Error(`there is no story ${wanted}`)
    return found
  },
)

describe.for(STORIES)('the app as found on the unified database: $title', (story) => {
  // Would catch: a grant function whose arguments or result the old app does not know any more, between the day of
  // the migration and the day of the deploy.
  test('every token of the balance is in the ledger', async ({ database }) => {
    const { url } = await database('unified')
    const play = await Play.open({ databaseUrl: url })
    try {
      const app = await play.startApp('as-found')
      await play.perform(story, app, { plan: IN_ORDER }).finally(() => app.close())
    } finally {
      await play.close()
    }
    const client = new Client(url)
    await client.connect()
    try {
      const { rows } = await client.query<{ balance: number; ledger: string; grants: number }>(
        `select p.vibe_assistant_tokens_remaining as balance, sum(l.delta)::text as ledger,
           count(*) filter (where l.direction = 'add')::int as grants
         from public.user_profiles as p
         join public.token_ledger as l on l.user_id = p.user_id
         where p.is_active and not p.is_draft group by p.id`,
      )
      expect(rows.length).toBeGreaterThan(0)
      for (const { balance, ledger, grants } of rows) {
        expect(Number(ledger)).toBe(balance)
        expect(grants).toBeGreaterThan(0)
      }
    } finally {
      await client.end()
    }
    expect(await verify(parseTarget(url))).toMatchObject({ unmatched: [], sumsOff: [] })
  })
})
