import { join } from 'node:path'
import { describe } from 'vitest'
import { readCatalogue } from '../audits/catalogue.ts'
import { parseEvidence } from '../audits/evidence.ts'
import { repair } from './engine/healthy.ts'
import { judgeHealthy, unjudged } from './engine/kill-matrix.ts'
import { TWICE } from './engine/plan.ts'
import { Play } from './engine/play.ts'
import { STORIES } from './engine/stories.ts'
import { test } from './support/test.ts'

const catalogue = await readCatalogue(join(import.meta.dirname, '../audits/invariants'))

describe('the repair', () => {
  // A repair that was made for the defects that somebody thought of: all stories, each delivery and each admin request
  // twice, leave behind whatever the app as found can.
  test('mends all that the app as found leaves behind', { timeout: 60_000 }, async ({ database, expect }) => {
    const { url } = await database('as-found')
    const play = await Play.open({ databaseUrl: url })
    const app = await play.startApp('as-found')
    for (const story of STORIES) await play.perform(story, app, { plan: TWICE, isWatched: false })
    await app.close()
    const text = JSON.stringify(play.evidence())
    await play.close()

    await repair(url, parseEvidence(text, 'the evidence of all stories'))

    const report = await judgeHealthy(url, catalogue, text)
    const red = report.targets.flatMap(({ invariants }) =>
      invariants.filter(({ status }) => status === 'fail'),
    )
    expect(unjudged(report)).toEqual([])
    // What remains is what policy costs, and a counter that no row can mend.
    expect(red.map(({ id }) => id).sort()).toEqual([
      'refunded-purchase-kept-tokens',
      'reset-took-bought-tokens',
      'used-counter-is-usage',
    ])
    expect(red.map(({ severity }) => severity)).toEqual(['minor', 'minor', 'minor'])
  })
})
