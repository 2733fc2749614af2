import { once } from 'node:events'
import { Databases } from '../../fixtures/postgres/databases.ts'
import { Arena, lineOf } from '../../scenarios/engine/explore/arena.ts'
import { playerIn, sayFailure } from '../../scenarios/engine/explore/explore.ts'
import { renderPerformance } from '../../scenarios/engine/outcome.ts'
import { storiesNamed } from '../../scenarios/engine/stories.ts'
import type { Story } from '../../scenarios/engine/story.ts'
import type { Answer, Ask, Ground } from './parallel.ts'

/** A process of `explore`: gets its ground as the first message, and then answers one message after the other. */

const PREEMPTIONS = 2

const [ground] = (await once(process, 'message')) as [Ground]
const databases = new Databases(ground.url)
const database = await databases.create(ground.app === 'as-found' ? 'as-found' : 'unified')
const arena = await Arena.open(database.url, ground.app, { ownProcess: ground.ownProcess })
const play = playerIn(arena, PREEMPTIONS)

const named = (name: string): Story => storiesNamed([name])[0] as Story

async function answer(ask: Ask): Promise<Answer> {
  switch (ask.do) {
    case 'begin':
      return { red: await arena.redAsInstalled() }
    case 'measure':
      return { anatomy: await arena.measure(named(ask.story)) }
    case 'play': {
      const { plan } = ask
      const story = named(ask.story)
      const { result: run, ...rest } = await play({ story, plan })
      if (run.complaints.length === 0) return { failure: undefined, ...rest }
      const line = `${lineOf(ground.app, run)}${ground.ownProcess ? ' --own-process' : ''}`
      const again = await arena.run(story, plan, { isWatched: true })
      const luck = again.complaints.length > 0 ? '' : '\n  played again it was as told: its timeline follows'
      return {
        failure: {
          text: `${sayFailure(run)}${luck}`,
          red: run.red,
          timeline: renderPerformance(again.performance),
          line,
        },
        ...rest,
      }
    }
  }
}

process.on('message', async (ask: Ask) => {
  try {
    process.send?.(await answer(ask))
  } catch (error) {
    process.send?.({ problem: error instanceof Error ? error.message : String(error) } satisfies Answer)
  }
})
const close = async () => {
  await arena.close()
  await databases.close()
}
process.once('disconnect', close)
// The command was gone before the arena was open.
if (!process.connected) await close()
