import { Client } from 'pg'
import type { AppRevision } from '../../fixtures/app/app.ts'
import { type StandIn, startStandIn } from '../../fixtures/stripe/stand-in.ts'
import type { ApiVersion } from '../../fixtures/stripe/versions.ts'
import { type AppUnderTest, startReferenceApp } from './app-under-test.ts'
import { Cast, evidenceOf } from './cast.ts'
import { Connections } from './connections.ts'
import type { Decision } from './explore/overlap.ts'
import { WireLog } from './explore/wire-log.ts'
import { type AddUsers, addOtherTier, usersIn } from './house.ts'
import { ledgerReader, readLedger, type Snapshot } from './ledger.ts'
import { type OnSent, Performer } from './performer.ts'
import { type Plan, versionOf } from './plan.ts'
import type { Story } from './story.ts'
import type { PlayedStep } from './timeline.ts'

export interface PlayOptions {
  readonly databaseUrl: string
  /** What answers the API calls that the simulator has no answer to. */
  readonly stripeMockUrl?: string
  /** Where the API stand-in listens: 0, the default, takes any free port. */
  readonly standInPort?: number
}

/** A story as it was played against an app. */
export interface Performance {
  readonly story: Story
  readonly plan: Plan
  /** The app's name. */
  readonly app: string
  readonly cast: Cast
  readonly played: readonly PlayedStep[]
  /** What is not as the story tells it, a line each. */
  readonly complaints: readonly string[]
  /** Calls of Stripe's API that Stripe would have refused, a line each. */
  readonly invalidRequests: readonly string[]
  /** Whose turn it was where deliveries overlapped. */
  readonly decisions: readonly Decision[]
  /** The app gave no answer: it was played no further. */
  readonly isCut: boolean
}

/**
 * One database, the stories that are played on it, and Stripe as far as they need it. It outlives the apps that are
 * told of it: the same people can go on with another app, after a migration, say.
 *
 *     const play = await Play.open({ databaseUrl })
 *     const asFound = await play.startApp('as-found')
 *     const { cast } = await play.perform(january, asFound, { plan: IN_ORDER })
 *     await asFound.close()
 *     // … migrate …
 *     const repaired = await play.startApp('repaired')
 *     await play.perform(february, repaired, { plan: IN_ORDER, cast })
 *     const evidence = play.evidence()
 */
export class Play {
  readonly databaseUrl: string
  readonly #client: Client
  readonly #standIn: StandIn
  readonly #casts: Cast[]
  readonly #addUsers: AddUsers
  readonly #connections = new WeakMap<AppUnderTest, Connections>()

  private constructor(
    databaseUrl: string,
    client: Client,
    addUsers: AddUsers,
    standIn: StandIn,
    casts: Cast[],
  ) {
    this.databaseUrl = databaseUrl
    this.#client = client
    this.#addUsers = addUsers
    this.#standIn = standIn
    this.#casts = casts
  }

  /** The database has the app's schema, of any revision. Throws when it can't be reached. */
  static async open({ databaseUrl, stripeMockUrl, standInPort = 0 }: PlayOptions): Promise<Play> {
    const client = new Client({ connectionString: databaseUrl, application_name: 'story' })
    // A connection that breaks while idle is an error of the next query, not of the process.
    client.on('error', () => {})
    await client.connect()
    await addOtherTier(client)
    const casts: Cast[] = []
    const standIn = await startStandIn({
      worlds: () => casts.map(({ stripe }) => stripe.world),
      ...(stripeMockUrl !== undefined && { stripeMockUrl }),
      port: standInPort,
    })
    return new Play(databaseUrl, client, await usersIn(client), standIn, casts)
  }

  /** Where Stripe's API answers for this play. */
  get stripeApiUrl(): string {
    return this.#standIn.url
  }

  /**
   * Starts a revision of the reference app, or the app of another directory, on this play's database. `disturbed`: a plan
   * may disturb its statements. `ownProcess`: it may kill it.
   */
  startApp(
    revision: AppRevision | (string & {}),
    { disturbed = false, ownProcess = false } = {},
  ): Promise<AppUnderTest> {
    const { databaseUrl, stripeApiUrl } = this
    return startReferenceApp(revision, { databaseUrl, stripeApiUrl, disturbed, ownProcess })
  }

  /**
   * Plays a story, step by step, with people of its own or, given a cast, with those of an earlier story. It is played
   * to its end whatever comes of it, unless the app gives no answer; what is not as told is in the result. Throws when the
   * story does what Stripe would refuse.
   */
  async perform(
    story: Story,
    app: AppUnderTest,
    {
      plan,
      cast = undefined,
      isWatched = true,
      onSent = undefined,
    }: {
      readonly plan: Plan
      readonly cast?: Cast | undefined
      readonly isWatched?: boolean
      readonly onSent?: OnSent | undefined
    },
  ): Promise<Performance> {
    const people = cast ?? (await this.#newCast(story, versionOf(plan)))
    if (app.proxy !== undefined) app.proxy.log = isWatched ? new WireLog() : undefined
    const performer = new Performer({
      client: this.#client,
      readLedger: await ledgerReader(this.#client),
      app,
      cast: people,
      standIn: this.#standIn,
      connections: this.#connectionsOf(app),
      plan,
      isWatched,
      onSent,
    })
    const refusedBefore = this.#standIn.invalidRequests.length
    const { played, complaints, decisions, isCut } = await performer.play(story)
    const invalidRequests = this.#standIn.invalidRequests.slice(refusedBefore)
    return { story, plan, app: app.name, cast: people, played, complaints, invalidRequests, decisions, isCut }
  }

  /** What is owed by all that was played here, as the file that the audit takes. */
  evidence(): unknown {
    return evidenceOf(this.#casts)
  }

  /** How often Stripe's API was called so far. */
  get stripeCalls(): number {
    return this.#standIn.requests.length
  }

  /** The whole ledger and all profiles, as they are now. */
  ledger(): Promise<Snapshot> {
    return readLedger(this.#client)
  }

  /** Forgets what was played, so that it can be played again: the database is as before it, users included. */
  startAnew(): void {
    this.#casts.length = 0
  }

  /** Leaves the database as it is. */
  async close(): Promise<void> {
    await this.#standIn.close()
    await this.#client.end()
  }

  #connectionsOf(app: AppUnderTest): Connections {
    const connections = this.#connections.get(app) ?? new Connections(app)
    this.#connections.set(app, connections)
    return connections
  }

  async #newCast(story: Story, version: ApiVersion | undefined): Promise<Cast> {
    if (this.#casts.some(({ name }) => name === story.name)) {
      throw new Error(`${story.name} was played on this database already; go on with its cast`)
    }
    const cast = new Cast(story.name, story.people, version)
    await this.#addUsers(cast.people.values())
    this.#casts.push(cast)
    return cast
  }
}
