import { describe, inject } from 'vitest'
import type { Catalogue } from '../../audits/catalogue.ts'
import type { AppRevision } from '../../fixtures/app/app.ts'
import { judge, renderOutcome, renderPerformance } from '../engine/outcome.ts'
import { PLANS, type Plan, printPlan } from '../engine/plan.ts'
import { Play } from '../engine/play.ts'
import type { Story } from '../engine/story.ts'
import { test } from './test.ts'

const APPS = [
  { app: 'repaired', revision: 'unified', is: 'as told' },
  { app: 'as-found', revision: 'as-found', is: 'red where declared' },
] as const

/** A story that is not as told: its timeline, what is wrong, and the line that plays it again. */
class BrokenStory extends Error {
  override name = 'BrokenStory'
}

/** Plays each story in order and with everything sent twice, against the repaired app and the one as found. */
export function tell(topic: string, stories: readonly Story[]): void {
  describe(topic, () => {
    for (const story of stories) {
      describe(`${story.name}: ${story.title}`, () => {
        for (const { app, revision, is } of APPS) {
          for (const plan of PLANS) {
            test(`${app}, ${printPlan(plan)}: ${is}`, async ({ database }) => {
              const { url } = await database(revision)
              await playAndJudge(story, { url, app, plan, stripeMockUrl: inject('stripeMockUrl') })
            })
          }
        }
      })
    }
  })
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
