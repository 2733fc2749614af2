import { once } from 'node:events'
import { Databases } from '../../fixtures/postgres/databases.ts'
import { Arena, lineOf } from '../../scenarios/engine/explore/arena.ts'
import { explore, sayFailure } from '../../scenarios/engine/explore/explore.ts'
import { storiesNamed } from '../../scenarios/engine/stories.ts'
import type { Order, Said } from './parallel.ts'

/** A process of `explore`: gets its order as a message, and says what it does in messages. */

const [order] = (await once(process, 'message')) as [Order]
const say = (said: Said) => process.send?.(said)

const databases = new Databases(order.url)
try {
  const database = await databases.create(order.app === 'as-found' ? 'as-found' : 'unified')
  const arena = await Arena.open(database.url, order.app, { ownProcess: order.ownProcess })
  try {
    const red = await arena.redAsInstalled()
    if (red.length > 0) throw new Error(`the database is red before anything is played: ${red.join(', ')}`)
    const { left, hasGivenUp } = await explore(arena, {
      stories: storiesNamed(order.stories),
      kinds: order.kinds,
      shard: order.shard,
      preemptions: 2,
      until: order.budgetMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + order.budgetMs,
      onRun: (kind, run, rest) =>
        say({
          run: kind,
          left: rest,
          ...(run.complaints.length > 0 && {
            failed: {
              text: sayFailure(run),
              line: `${lineOf(order.app, run)}${order.ownProcess ? ' --own-process' : ''}`,
            },
          }),
        }),
    })
    say({ left, hasGivenUp })
  } finally {
    await arena.close()
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
} finally {
  await databases.close()
  process.disconnect()
}
