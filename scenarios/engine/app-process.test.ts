import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { unreachable } from '../../fixtures/app/unreachable.ts'
import { withDatabase } from '../../fixtures/postgres/connection.ts'
import type { Database, Source } from '../../fixtures/postgres/databases.ts'
import { test as withDatabases } from '../support/test.ts'
import { AppProcess } from './app-process.ts'
import { Arena, type Run } from './explore/arena.ts'
import { explore, playerIn } from './explore/explore.ts'
import { tasksOf } from './explore/tasks.ts'
import { IN_ORDER, parsePlan } from './plan.ts'
import { Play } from './play.ts'
import { storiesNamed } from './stories.ts'
import type { Story } from './story.ts'

const [PACK] = storiesNamed(['pack-paid']) as [Story]
const HANDLERS = `${import.meta.dirname}/../../fixtures/app/handlers`

const test = withDatabases.extend('play', async ({ database }, { onCleanup }) => {
  const play = await Play.open({ databaseUrl: (await database('unified')).url })
  onCleanup(() => play.close())
  return play
})

describe('an app that is killed at its commit', () => {
  // The third statement of the delivery is its commit. Would catch: a kill that comes when Postgres has the statement
  // already, one that comes before it has done it, an app that is not started again.
  for (const [how, granted] of [
    ['killed', 0],
    ['killed-after', 1],
  ] as const) {
    test(`${how}: ${granted} grants are left, and one when Stripe has sent it again`, async ({ play }) => {
      const app = await play.startApp('repaired', { disturbed: true, ownProcess: true })
      const plan = parsePlan(`fault 1.5 3 ${how}`)
      const { complaints, played } = await play.perform(PACK, app, { plan })
      await app.close()
      expect(complaints).toEqual([])
      const sent = played[0]?.sent.filter(({ what }) => what === 'checkout.session.completed') ?? []
      expect(sent.map(({ body, changes }) => [body, changes.added.length])).toEqual([
        ['the app was killed', granted],
        [expect.stringContaining('granted'), 1 - granted],
      ])
    })
  }

  // A fault that is passed over in silence would be green.
  test.for(['fault 1.5 3 killed', 'restart 1'])(
    'in the process of the engine, %s does not fit',
    async (form, { play }) => {
      const app = await play.startApp('repaired', { disturbed: true })
      await expect(play.perform(PACK, app, { plan: parsePlan(form) })).rejects.toThrow('--own-process')
      await app.close()
    },
  )
})

describe('an app that keeps state in memory', () => {
  const open = async (database: (source: Source) => Promise<Database>) => {
    const { url } = await database('as-found')
    await withDatabase(url, (client) => client.query('create table public.seen_events (id text primary key)'))
    return Arena.open(url, `${HANDLERS}/in-memory`, { ownProcess: true })
  }

  // Sent again to the same process it is right: only a restart shows what the app had not written down.
  test('grants twice when it was restarted between', async ({ database }) => {
    const arena = await open(database)
    const { performance } = await arena.run(PACK, parsePlan('restart 1; again 1.5 last'))
    await arena.close()
    expect(performance.played.at(-1)?.snapshot.rows).toHaveLength(2)
  })

  // Each run is right by itself; the second one is the same plan on the same data, and grants nothing.
  test('is found by a plan that ends otherwise after a restart', async ({ database }) => {
    const arena = await open(database)
    await arena.run(PACK, IN_ORDER)
    const complaints: string[] = []
    await explore([playerIn(arena, 0)], tasksOf([[PACK, await arena.measure(PACK)]], ['late']).flat(), {
      onRun: (_, run) => complaints.push(...run.complaints),
    })
    await arena.close()
    expect(complaints).toContainEqual(
      expect.stringMatching(
        /^after a restart of the app the same plan .*: the app keeps state in memory, or it is a matter of luck$/,
      ),
    )
  })
})

describe('an app whose process ends at a delivery', () => {
  const exploring = async (url: string, route: string) => {
    const directory = await mkdtemp(join(tmpdir(), 'app-'))
    const webhook = join(directory, 'api/stripe/webhook')
    await mkdir(webhook, { recursive: true })
    await writeFile(join(webhook, 'route.js'), route)
    const arena = await Arena.open(url, directory, { ownProcess: true })
    try {
      const failed: Run[] = []
      const tasks = tasksOf([[PACK, await arena.measure(PACK)]], ['redelivery']).flat()
      const explored = await explore([playerIn(arena, 0)], tasks, {
        onRun: (_, run) => {
          if (run.complaints.length > 0) failed.push(run)
        },
      })
      return { ...explored, failed }
    } finally {
      await arena.close()
      await rm(directory, { recursive: true })
    }
  }

  // Would catch: an explorer that blames every plan for a dead app, or goes on for ever.
  test('that comes again: explore says how, starts it again, and gives up', async ({ database }) => {
    const { failed, left, hasGivenUp } = await exploring(
      (await database('unified')).url,
      `const seen = new Set()
       export async function POST(request) {
         const { id } = await request.json()
         if (seen.has(id)) process.exit(7)
         seen.add(id)
         return new Response('ok')
       }`,
    )
    expect(failed.map(({ complaints }) => complaints[0])).toEqual(
      Array(3).fill(
        expect.stringMatching(/^step 1 .* evt_\w+: .*gave no answer.*; its process ended with 7/),
      ),
    )
    expect([left > 0, hasGivenUp]).toEqual([true, true])
  })

  // What a plan disturbs is counted in order: nothing can be counted.
  test('told in order: the story can’t be explored', async ({ database }) => {
    const { url } = await database('unified')
    await expect(exploring(url, 'export const POST = () => process.exit(7)')).rejects.toThrow(
      /^pack-paid can't be explored: step 1 .*; its process ended with 7$/,
    )
  })
})

describe('an app process', () => {
  test('that does not start says why', async () => {
    await expect(AppProcess.start('mended', unreachable)).rejects.toThrow(
      /^the app mended does not start: its process ended with 3.*no app "mended"/,
    )
  })

  // Would catch: a process that nobody notices to be gone, and a log that is lost with it.
  test('that ends by itself says how it ended, and comes back where it was', async () => {
    const app = await AppProcess.start('repaired', unreachable)
    const { url } = app
    expect(app.end).toBeUndefined()
    await app.kill()
    expect(app.end).toBe('its process ended with SIGKILL')
    await app.start()
    expect([app.url, app.end]).toEqual([url, undefined])
    await app.close()
    expect(app.end).toBe('its process ended with 0')
  })
})
