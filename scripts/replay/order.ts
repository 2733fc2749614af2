import { writeFile } from 'node:fs/promises'
import { Databases, type Revision } from '../../fixtures/postgres/databases.ts'
import { startPostgres } from '../../fixtures/postgres/server.ts'
import { startStripeMock } from '../../fixtures/stripe/stripe-mock.ts'
import { appAt } from '../../scenarios/engine/app-under-test.ts'
import { evidenceOf } from '../../scenarios/engine/cast.ts'
import {
  brokenStories,
  judge,
  type Outcome,
  renderOutcome,
  renderPerformance,
} from '../../scenarios/engine/outcome.ts'
import { type Performance, type Plan, Play } from '../../scenarios/engine/play.ts'
import { installSchema } from '../../scenarios/engine/schema.ts'
import type { Story } from '../../scenarios/engine/story.ts'

/** What somebody wants to see played, checked. */
export interface Order {
  readonly stories: readonly Story[]
  readonly plan: Plan
  readonly app: 'as-found' | 'repaired' | { readonly url: string; readonly webhookSecret: string }
  /** Undefined: each story on a database of its own. */
  readonly into: string | undefined
  readonly evidence: string | undefined
  readonly standInPort: number
}

/**
 * Plays, judges and prints it all. Whether all was as told. Throws UsageError for a database that is not empty, and
 * Error for whatever keeps the stories from being played.
 */
export async function carryOut(order: Order): Promise<boolean> {
  if (order.into !== undefined) await prepare(order, order.into)
  const stripeMock = await startStripeMock()
  console.log('absent' in stripeMock ? stripeMock.absent : stripeMock.says)
  const stripeMockUrl = 'url' in stripeMock ? stripeMock.url : undefined
  try {
    const began = performance.now()
    const outcomes =
      order.into === undefined
        ? await playApart(order, stripeMockUrl)
        : [await playOn(order.into, order.stories, order, stripeMockUrl)]
    if (order.evidence !== undefined) await writeEvidence(order.evidence, outcomes)
    return summarize(order, outcomes, performance.now() - began)
  } finally {
    if ('stop' in stripeMock) await stripeMock.stop()
  }
}

async function prepare({ app, standInPort }: Order, into: string): Promise<void> {
  // Before anything is written: an app that can't be reached leaves the database empty.
  if (typeof app !== 'string') {
    await fetch(app.url, { redirect: 'manual' }).catch((error: unknown) => {
      throw new Error(
        `nothing answers at ${app.url}: start the app on the database of --into, ` +
          `with Stripe's API at http://127.0.0.1:${standInPort}`,
        { cause: error },
      )
    })
  }
  await installSchema(into, revisionFor(app))
}

async function playApart(order: Order, stripeMockUrl: string | undefined): Promise<Outcome[]> {
  const server = await startPostgres()
  console.log(server.says)
  const databases = new Databases(server.url)
  const outcomes: Outcome[] = []
  try {
    for (const story of order.stories) {
      const database = await databases.create(revisionFor(order.app))
      outcomes.push(await playOn(database.url, [story], order, stripeMockUrl))
      await database.drop()
    }
  } finally {
    await databases.close()
    await server.stop()
  }
  return outcomes
}

async function playOn(
  databaseUrl: string,
  stories: readonly Story[],
  { app: wanted, plan, standInPort }: Order,
  stripeMockUrl: string | undefined,
): Promise<Outcome> {
  const play = await Play.open({
    databaseUrl,
    standInPort,
    ...(stripeMockUrl !== undefined && { stripeMockUrl }),
  })
  try {
    const app =
      typeof wanted === 'string' ? await play.startApp(wanted) : appAt(wanted.url, wanted.webhookSecret)
    const performances: Performance[] = []
    try {
      if (typeof wanted !== 'string') console.log(`Stripe's API answers at ${play.stripeApiUrl}`)
      for (const story of stories) {
        const performance = await play.perform(story, app, { plan })
        console.log(`\n${renderPerformance(performance)}`)
        performances.push(performance)
      }
    } finally {
      await app.close()
    }
    const outcome = await judge(play, performances)
    console.log(renderOutcome(outcome))
    return outcome
  } finally {
    await play.close()
  }
}

async function writeEvidence(file: string, outcomes: readonly Outcome[]): Promise<void> {
  const casts = outcomes.flatMap(({ performances }) => performances.map(({ cast }) => cast))
  await writeFile(file, `${JSON.stringify(evidenceOf(casts), null, 2)}\n`)
}

function summarize({ stories }: Order, outcomes: readonly Outcome[], ms: number): boolean {
  const performances = outcomes.flatMap((outcome) => outcome.performances)
  const sent = performances.flatMap(({ played }) => played).reduce((sum, step) => sum + step.sent.length, 0)
  const told = `${stories.length} ${stories.length === 1 ? 'story' : 'stories'}, ${sent} requests, ${(ms / 1_000).toFixed(1)} s`
  const broken = outcomes.flatMap(brokenStories)
  console.log(`\n${told}: ${broken.length === 0 ? 'all as told' : `not as told: ${broken.join(', ')}`}`)
  return broken.length === 0
}

function revisionFor(app: Order['app']): Revision {
  return app === 'as-found' ? 'as-found' : 'unified'
}
