import type { Catalogue } from '../../../audits/catalogue.ts'
import { withDatabase } from '../../../fixtures/postgres/connection.ts'
import type { Databases, Template } from '../../../fixtures/postgres/databases.ts'
import { appFor, type Installed, rulesFor, withoutMeaning } from '../given-schema.ts'
import { allRules, judge } from '../outcome.ts'
import { PLANS, type Plan, printPlan } from '../plan.ts'
import { Play } from '../play.ts'
import type { Story } from '../story.ts'

/** An app waits for its database most of the time. */
const AT_ONCE = 3

/** What a story left behind on a schema. */
export interface Played {
  readonly story: string
  readonly plan: Plan
  /** Ids of the invariants that were red. */
  readonly red: readonly string[]
  /** What was not as the story tells it, a line each. */
  readonly complaints: readonly string[]
  /** Ids that are red although all is as told: an overdraft, say. */
  readonly minor: readonly string[]
}

/** The stories on one schema. */
export interface Plays {
  readonly played: readonly Played[]
  /** Stories that have no meaning there, and why. */
  readonly without: ReadonlyMap<string, string>
  /** Why a story could not be played to its end, or not be judged, a line each. */
  readonly unjudged: readonly string[]
  /** Functions that the app, or what it called, has called: signatures and names. */
  readonly called: { readonly signatures: ReadonlySet<string>; readonly names: ReadonlySet<string> }
  readonly catalogue: Catalogue
}

/**
 * Plays stories on a schema, in order and with everything sent twice, each on a database of its own.
 */
export async function playAll(
  databases: Databases,
  template: Template<Installed>,
  stories: readonly Story[],
  stripeMockUrl: string | undefined,
): Promise<Plays> {
  const installed = template.notes
  const without = new Map<string, string>()
  for (const story of stories) {
    const why = withoutMeaning(story, installed)
    if (why !== undefined) without.set(story.name, why)
  }
  const first = await databases.createFrom(template)
  const { catalogue } = await rulesFor(await allRules(), first.url, installed)
  await first.drop()

  const plays = stories
    .filter(({ name }) => !without.has(name))
    .flatMap((story) => PLANS.map((plan) => ({ story, plan })))
  const queue = [...plays.entries()]
  // By place: whichever ends first, what is told of them has one order.
  const played: Played[] = []
  const unjudged: string[] = []
  const signatures = new Set<string>()
  const names = new Set<string>()
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [place, one] = next
      const database = await databases.createFrom(template)
      try {
        await countCalls(database.name, database.url)
        await playOne(database.url, one, installed, catalogue, stripeMockUrl).then(
          (outcome) => {
            played[place] = outcome
          },
          (error: Error) => {
            unjudged[place] = `story ${one.story.name}, ${printPlan(one.plan)}: ${error.message}`
          },
        )
        for (const { signature, name } of await calls(database.url)) {
          signatures.add(signature)
          names.add(name)
        }
      } finally {
        await database.drop()
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return {
    played: played.filter((one) => one !== undefined),
    without,
    unjudged: unjudged.filter((one) => one !== undefined),
    called: { signatures, names },
    catalogue,
  }
}

async function playOne(
  databaseUrl: string,
  { story, plan }: { readonly story: Story; readonly plan: Plan },
  { stage }: Installed,
  catalogue: Catalogue,
  stripeMockUrl: string | undefined,
): Promise<Played> {
  const play = await Play.open({ databaseUrl, ...(stripeMockUrl !== undefined && { stripeMockUrl }) })
  try {
    const app = await play.startApp(appFor(stage))
    const performance = await play.perform(story, app, { plan }).finally(() => app.close())
    const { red } = await judge(play, [performance], catalogue)
    return { story: story.name, plan, red, complaints: performance.complaints, minor: story.minor }
  } finally {
    await play.close()
  }
}

/** Sessions that begin after this count the functions that they call. */
async function countCalls(name: string, databaseUrl: string): Promise<void> {
  await query(databaseUrl, `alter database ${name} set track_functions = 'all'`)
}

function calls(databaseUrl: string): Promise<{ signature: string; name: string }[]> {
  return query(
    databaseUrl,
    `select f.funcid::regprocedure::text as signature, format('%I.%I', f.schemaname, f.funcname) as name
     from pg_catalog.pg_stat_user_functions as f`,
  )
}

function query<Row extends object>(databaseUrl: string, sql: string): Promise<Row[]> {
  return withDatabase(databaseUrl, async (client) => {
    // So that names are printed with their schema.
    await client.query(`set search_path = ''`)
    return (await client.query<Row>(sql)).rows
  })
}
