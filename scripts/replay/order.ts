import { writeFile } from 'node:fs/promises'
import type { AppRevision } from '../../fixtures/app/app.ts'
import { Databases } from '../../fixtures/postgres/databases.ts'
import { startPostgres } from '../../fixtures/postgres/server.ts'
import { UsageError } from '../../fixtures/postgres/usage-error.ts'
import type { Schema } from '../../fixtures/schema/schema.ts'
import { startStripeMock } from '../../fixtures/stripe/stripe-mock.ts'
import { appAt } from '../../scenarios/engine/app-under-test.ts'
import { evidenceOf } from '../../scenarios/engine/cast.ts'
import { install, templateOf } from '../../scenarios/engine/given-schema.ts'
import { installRevision } from '../../scenarios/engine/install-revision.ts'
import {
  brokenStories,
  judge,
  type Outcome,
  renderOutcome,
  renderPerformance,
} from '../../scenarios/engine/outcome.ts'
import { needsOwnProcess, needsProxy, type Plan } from '../../scenarios/engine/plan.ts'
import { type Performance, Play } from '../../scenarios/engine/play.ts'
import { probe } from '../../scenarios/engine/probe.ts'
import type { Story } from '../../scenarios/engine/story.ts'
import { type Ground, givenGround, ownGround, revisionFor } from './ground.ts'

/** An app that somebody else runs. */
export interface Elsewhere {
  readonly url: string
  readonly webhookSecret: string
  readonly oldWebhookSecret: string | undefined
}

/** What somebody wants to see played, checked. */
export interface Order {
  readonly stories: readonly Story[]
  readonly plan: Plan
  /** Undefined: the reference app that fits the schema. */
  readonly app: AppRevision | Elsewhere | undefined
  /** Undefined: our own. */
  readonly schema: Schema | undefined
  /** Undefined: each story on a database of its own. */
  readonly into: string | undefined
  readonly evidence: string | undefined
  readonly standInPort: number
  /** Our app runs in a process of its own, even where the plan does without. */
  readonly ownProcess: boolean
}

/**
 * Plays, judges and prints it all. Whether all was as told. Throws UsageError for a database that is not empty, and
 * Error for whatever keeps the stories from being played.
 */
export async function carryOut(order: Order): Promise<boolean> {
  // Before anything is written: an app that can't be played against leaves the database empty.
  const wrong = typeof order.app === 'object' ? await probe(order.app.url, order) : undefined
  const ground = order.into === undefined ? undefined : await prepare(order, order.into)
  const stripeMock = await startStripeMock()
  console.log('absent' in stripeMock ? stripeMock.absent : stripeMock.says)
  const stripeMockUrl = 'url' in stripeMock ? stripeMock.url : undefined
  try {
    const began = performance.now()
    const outcomes =
      order.into === undefined || ground === undefined
        ? await playApart(order, stripeMockUrl)
        : [await playOn(order.into, ground.stories, order, ground, stripeMockUrl)]
    if (order.evidence !== undefined) await writeEvidence(order.evidence, outcomes)
    if (wrong !== undefined) console.log(`\n✗ ${wrong}`)
    return summarize(outcomes, performance.now() - began) && wrong === undefined
  } finally {
    if ('stop' in stripeMock) await stripeMock.stop()
  }
}

async function prepare(order: Order, into: string): Promise<Ground> {
  const { app, schema } = order
  if (schema === undefined) {
    await installRevision(into, revisionFor(app))
    return ownGround(order)
  }
  await installRevision(into, 'supabase')
  return givenGround(schema, await install(into, schema), 'supabase', into, order)
}

async function playApart(order: Order, stripeMockUrl: string | undefined): Promise<Outcome[]> {
  const server = await startPostgres()
  console.log(server.says)
  const databases = new Databases(server.url)
  const outcomes: Outcome[] = []
  try {
    const ground = await groundOf(order, databases)
    for (const story of ground.stories) {
      const database = await databases.createAny(ground.source)
      outcomes.push(await playOn(database.url, [story], order, ground, stripeMockUrl))
      await database.drop()
    }
  } finally {
    await databases.close()
    await server.stop()
  }
  return outcomes
}

async function groundOf(order: Order, databases: Databases): Promise<Ground> {
  const { schema } = order
  if (schema === undefined) return ownGround(order)
  const template = await templateOf(databases, schema)
  const database = await databases.createFrom(template)
  try {
    return await givenGround(schema, template.notes, template, database.url, order)
  } finally {
    await database.drop()
  }
}

async function playOn(
  databaseUrl: string,
  stories: readonly Story[],
  { app: wanted, plan, standInPort, schema, ownProcess }: Order,
  ground: Ground,
  stripeMockUrl: string | undefined,
): Promise<Outcome> {
  if (ground.app === 'as-found' && plan.some((one) => one.do === 'fault'))
    throw new UsageError(
      'the app as found reaches Postgres through the Data API, which does not outlive a fault',
    )
  const play = await Play.open({
    databaseUrl,
    standInPort,
    ...(stripeMockUrl !== undefined && { stripeMockUrl }),
  })
  try {
    const app =
      typeof wanted === 'object'
        ? appAt(wanted.url, wanted.webhookSecret, wanted.oldWebhookSecret)
        : await play.startApp(ground.app, {
            disturbed: needsProxy(plan),
            ownProcess: ownProcess || needsOwnProcess(plan),
          })
    const performances: Performance[] = []
    try {
      if (typeof wanted === 'object') console.log(`Stripe's API answers at ${play.stripeApiUrl}`)
      for (const story of stories) {
        const performance = await play.perform(story, app, { plan })
        console.log(`\n${renderPerformance(performance)}`)
        performances.push(performance)
        if (performance.isCut) break
      }
      const left = stories.slice(performances.length).map(({ name }) => name)
      if (left.length > 0) console.log(`\nnot played, as the app gives no answer: ${left.join(', ')}`)
    } finally {
      await app.close()
    }
    const outcome = await judge(play, performances, ground.catalogue)
    console.log(renderOutcome(outcome, schema && ` --schema ${schema.path}`))
    return outcome
  } finally {
    await play.close()
  }
}

async function writeEvidence(file: string, outcomes: readonly Outcome[]): Promise<void> {
  const casts = outcomes.flatMap(({ performances }) => performances.map(({ cast }) => cast))
  await writeFile(file, `${JSON.stringify(evidenceOf(casts), null, 2)}\n`)
}

function summarize(outcomes: readonly Outcome[], ms: number): boolean {
  const performances = outcomes.flatMap((outcome) => outcome.performances)
  const sent = performances.flatMap(({ played }) => played).reduce((sum, step) => sum + step.sent.length, 0)
  const told = `${performances.length} ${performances.length === 1 ? 'story' : 'stories'}, ${sent} requests, ${(ms / 1_000).toFixed(1)} s`
  const broken = outcomes.flatMap(brokenStories)
  console.log(`\n${told}: ${broken.length === 0 ? 'all as told' : `not as told: ${broken.join(', ')}`}`)
  return broken.length === 0
}
