import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { Arena } from './engine/explore/arena.ts'
import { sayFailure } from './engine/explore/explore.ts'
import { printPlan } from './engine/plan.ts'
import { regressions } from './regressions/index.ts'
import { tell } from './support/tell-stories.ts'
import { test } from './support/test.ts'

// A suite without tests is an error, and that none is kept is not.
if (regressions.length > 0) {
  tell(
    'regressions',
    regressions.map(({ story }) => story),
  )
}

describe('regressions', () => {
  // A file that nobody imports is a regression that nobody plays.
  test('are all on the list', async () => {
    const files = await readdir(join(import.meta.dirname, 'regressions'))
    const listed = regressions.map(({ story }) => `${story.name}.ts`)
    expect([...listed, 'index.ts'].sort()).toEqual(files.sort())
  })

  for (const { story, plan } of regressions) {
    // In order and twice it may be as told, and was not when this came in between.
    test(`${story.name}, as when it was found, ${printPlan(plan)}: as told`, async ({ database }) => {
      const arena = await Arena.open((await database('unified')).url, 'repaired')
      try {
        const run = await arena.run(story, plan)
        expect(run.complaints.length === 0 ? '' : sayFailure(run)).toBe('')
      } finally {
        await arena.close()
      }
    })
  }
})
