import { describe, inject } from 'vitest'
import type { Catalogue } from '../../audits/catalogue.ts'
import type { AppRevision } from '../../fixtures/app/app.ts'
import type { Run } from '../engine/explore/arena.ts'
import { declaredRed, judge, renderOutcome, renderPerformance } from '../engine/outcome.ts'
import { IN_ORDER, type Plan, printPlan, TWICE } from '../engine/plan.ts'
import { Play } from '../engine/play.ts'
import type { Story } from '../engine/story.ts'
import { test } from './test.ts'

const IN_ARENAS = [
  { app: 'repaired', revision: 'unified', plan: TWICE, is: 'as told' },
  { app: 'as-found', revision: 'as-found', plan: IN_ORDER, is: 'red where declared' },
  { app: 'as-found', revision: 'as-found', plan: TWICE, is: 'red where declared' },
] as const

/** A story that is not as told: its timeline, what is wrong, and the line that plays it again. */
class BrokenStory extends Error {
  override name = 'BrokenStory'
}

/**
 * Plays each story in order and with everything sent twice, against the repaired app and the one as found. The repaired
 * app's are played in order on a database of their own, judged by the audit; the rest in arenas, judged by the same rules
 * at once, which takes a sixth of the time.
 */
export function tell(topic: string, stories: readonly Story[]): void {
  const stripeMockUrl = inject('stripeMockUrl')
  describe(topic, () => {
    for (const story of stories) {
      describe(`${story.name}: ${story.title}`, () => {
        test('repaired, in order: as told', async ({ database }) => {
          const { url } = await database('unified')
          await playAndJudge(story, { url, app: 'repaired', plan: IN_ORDER, stripeMockUrl })
        })
        for (const { app, revision, plan, is } of IN_ARENAS) {
          const how = printPlan(plan)
          test(`${app}, ${how}: ${is}`, async ({ arena, database }) => {
            const problem = problemOf(await (await arena(app)).run(story, plan), app)
            if (problem === undefined) return
            // Told in full, on a database that is kept.
            const { url } = await database(revision)
            await playAndJudge(story, { url, app, plan, stripeMockUrl })
            throw new Error(`${story.name}, ${how}, is as told where it is played alone, but here ${problem}`)
          })
        }
      })
    }
  })
}

/** Of the app as found only what is red is judged. */
function problemOf({ complaints, red, performance }: Run, app: AppRevision): string | undefined {
  if (app !== 'as-found') return complaints[0]
  if (performance.invalidRequests.length > 0) return performance.invalidRequests[0]
  const told = declaredRed(performance, true).toSorted().join(', ')
  const found = red.toSorted().join(', ')
  return told === found ? undefined : `red should be ${told || 'nothing'}, but is ${found || 'nothing'}`
}

interface Performed {
  readonly url: string
  readonly app: AppRevision
  readonly plan: Plan
  readonly stripeMockUrl: string | null
  /** All rules, unless a schema gives meaning to some of them only. */
  readonly catalogue?: Catalogue
}

/** Plays one story on a database of its own. Throws BrokenStory. */
export async function playAndJudge(
  story: Story,
  { url, app: name, plan, stripeMockUrl, catalogue }: Performed,
): Promise<void> {
  const play = await Play.open({ databaseUrl: url, ...(stripeMockUrl && { stripeMockUrl }) })
  try {
    const app = await play.startApp(name)
    const performance = await play.perform(story, app, { plan }).finally(() => app.close())
    const outcome = await judge(play, [performance], catalogue)
    if (outcome.complaints.length > 0) {
      throw new BrokenStory(`${renderPerformance(performance)}\n${renderOutcome(outcome)}`)
    }
  } finally {
    await play.close()
  }
}
