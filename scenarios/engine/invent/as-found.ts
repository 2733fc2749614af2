import type { Databases } from '../../../fixtures/postgres/databases.ts'
import { judge } from '../outcome.ts'
import { IN_ORDER, type Plan, TWICE } from '../plan.ts'
import { Play } from '../play.ts'
import type { Story } from '../story.ts'

/** What turns red when the app as it was found is told a story: as a story's `asFound` names it. */
export async function seenAsFound(databases: Databases, story: Story): Promise<Story['asFound']> {
  return {
    red: await redBy(IN_ORDER, databases, story),
    redTwice: await redBy(TWICE, databases, story),
  }
}

async function redBy(plan: Plan, databases: Databases, story: Story): Promise<readonly string[]> {
  const database = await databases.create('as-found')
  try {
    const play = await Play.open({ databaseUrl: database.url })
    try {
      const app = await play.startApp('as-found')
      const performance = await play.perform(story, app, { plan }).finally(() => app.close())
      return (await judge(play, [performance])).red
    } finally {
      await play.close()
    }
  } finally {
    await database.drop()
  }
}
