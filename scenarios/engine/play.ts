import { Client } from 'pg'
import type { AppRevision } from '../../fixtures/app/app.ts'
import type { Delivery } from '../../fixtures/stripe/event.ts'
import { deliver } from '../../fixtures/stripe/sign.ts'
import { type StandIn, startStandIn } from '../../fixtures/stripe/stand-in.ts'
import { type AppUnderTest, startReferenceApp } from './app-under-test.ts'
import { Cast, evidenceOf, type Happened } from './cast.ts'
import { complaintsAbout, type Subjects } from './effects.ts'
import { actInHouse, addOtherTier, addUsers } from './house.ts'
import { changesBetween, readLedger, type Snapshot } from './ledger.ts'
import { type AdminAct, type Step, type Story, say, type UseAct } from './story.ts'
import { oneLine, type PlayedStep, type Sent } from './timeline.ts'

/**
 * How the deliveries of a step reach the app. `twice`: each is sent again right after it was taken, and so is each
 * admin request, with its request id. AI use is no delivery, and each call is one call.
 */
export type Plan = (typeof PLANS)[number]
export const PLANS = ['in-order', 'twice'] as const

/** Stripe goes on for three days; here a delivery that is refused is sent this often with each step. */
const ATTEMPTS = 3

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
}

/**
 * One database, the stories that are played on it, and Stripe as far as they need it. It outlives the apps that are
 * told of it: the same people can go on with another app, after a migration, say.
 *
 *     const play = await Play.open({ databaseUrl })
 *     const asFound = await play.startApp('as-found')
 *     const { cast } = await play.perform(january, asFound, { plan: 'in-order' })
 *     await asFound.close()
 *     // … migrate …
 *     const repaired = await play.startApp('repaired')
 *     await play.perform(february, repaired, { plan: 'in-order', cast })
 *     const evidence = play.evidence()
 */
export class Play {
  readonly databaseUrl: string
  readonly #client: Client
  readonly #standIn: StandIn
  readonly #casts: Cast[]

  private constructor(databaseUrl: string, client: Client, standIn: StandIn, casts: Cast[]) {
    this.databaseUrl = databaseUrl
    this.#client = client
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
    return new Play(databaseUrl, client, standIn, casts)
  }

  /** Where Stripe's API answers for this play. */
  get stripeApiUrl(): string {
    return this.#standIn.url
  }

  /** Starts a revision of the reference app, or the app of another directory, on this play's database. */
  startApp(revision: AppRevision | (string & {})): Promise<AppUnderTest> {
    return startReferenceApp(revision, { databaseUrl: this.databaseUrl, stripeApiUrl: this.stripeApiUrl })
  }

  /**
   * Plays a story, step by step, with people of its own or, given a cast, with those of an earlier story. It is played
   * to its end whatever comes of it; what is not as told is in the result. Throws when the app does not answer at all,
   * and when the story does what Stripe would refuse.
   */
  async perform(
    story: Story,
    app: AppUnderTest,
    { plan, cast = undefined }: { readonly plan: Plan; readonly cast?: Cast | undefined },
  ): Promise<Performance> {
    const people = cast ?? (await this.#newCast(story))
    const performer = new Performer(this.#client, app, people, plan)
    const refusedBefore = this.#standIn.invalidRequests.length
    const { played, complaints } = await performer.play(story)
    const invalidRequests = this.#standIn.invalidRequests.slice(refusedBefore)
    return { story, plan, app: app.name, cast: people, played, complaints, invalidRequests }
  }

  /** What is owed by all that was played here, as the file that the audit takes. */
  evidence(): unknown {
    return evidenceOf(this.#casts)
  }

  /** The whole ledger and all profiles, as they are now. */
  ledger(): Promise<Snapshot> {
    return readLedger(this.#client)
  }

  /** Leaves the database as it is. */
  async close(): Promise<void> {
    await this.#standIn.close()
    await this.#client.end()
  }

  async #newCast(story: Story): Promise<Cast> {
    if (this.#casts.some(({ name }) => name === story.name)) {
      throw new Error(`${story.name} was played on this database already; go on with its cast`)
    }
    const cast = new Cast(story.name, story.people)
    await addUsers(this.#client, cast.people.values())
    this.#casts.push(cast)
    return cast
  }
}

/** One performance: what was seen so far. */
class Performer {
  readonly #client: Client
  readonly #app: AppUnderTest
  readonly #cast: Cast
  readonly #plan: Plan
  readonly #complaints: string[] = []
  #snapshot: Snapshot = { rows: [], profiles: [] }
  #sent: Sent[] = []

  constructor(client: Client, app: AppUnderTest, cast: Cast, plan: Plan) {
    this.#client = client
    this.#app = app
    this.#cast = cast
    this.#plan = plan
  }

  async play(story: Story): Promise<{ played: PlayedStep[]; complaints: string[] }> {
    const users = new Map(story.people.map(({ name }) => [name, this.#cast.person(name).userId]))
    const balances = new Map(story.people.map(({ name, balance }) => [name, balance]))
    const played: PlayedStep[] = []
    this.#snapshot = await readLedger(this.#client)
    for (const [index, step] of story.steps.entries()) {
      const before = this.#snapshot
      this.#sent = []
      const { subjects, answers } = await this.#act(step)
      for (const [name, balance] of Object.entries(step.balances)) balances.set(name, balance)
      const after = this.#snapshot
      const complaints = [
        ...complaintsAboutAnswers(step, answers),
        ...complaintsAbout({ step, before, after, subjects, users, balances }),
      ]
      this.#complaints.push(...complaints.map((one) => `step ${index + 1} (${say(step.act)}): ${one}`))
      played.push({ step, sent: this.#sent, snapshot: after })
    }
    return { played, complaints: this.#complaints }
  }

  /** Does what the step says, and delivers what comes of it, after what could not be delivered before. */
  async #act(step: Step): Promise<{ subjects: Subjects; answers: Sent[] }> {
    const cast = this.#cast
    const { happened, answers } = await this.#happen(step)
    const before = cast.undelivered
    const subjects = { ...before.subjects, ...happened.subjects }
    const refused: Delivery[] = []
    for (const delivery of [...before.deliveries, ...happened.deliveries]) {
      const answer = await this.#deliver(delivery)
      answers.push(answer)
      if (!isTaken(answer)) refused.push(delivery)
    }
    cast.undelivered = { deliveries: refused, subjects: refused.length > 0 ? subjects : {} }
    return { subjects, answers }
  }

  async #happen({ act, answer }: Step): Promise<{ happened: Happened; answers: Sent[] }> {
    const cast = this.#cast
    const answers: Sent[] = []
    switch (act.do) {
      case 'admin': {
        if (answer === '2xx') cast.request(act)
        const clicks = act.clicks * (this.#plan === 'twice' ? 2 : 1)
        for (let click = 0; click < clicks; click++) answers.push(await this.#request(adjustment(cast, act)))
        return { happened: { deliveries: [], subjects: { admin: cast.requestId(act) } }, answers }
      }
      case 'use':
        answers.push(await this.#request(use(cast, act)))
        return { happened: NOTHING, answers }
      case 'set-tier-price':
      case 'give-subscription-row':
        await actInHouse(this.#client, cast, act)
        return { happened: NOTHING, answers }
      default:
        return { happened: cast.act(act), answers }
    }
  }

  /** Sends a delivery until it is taken, as the plan says; the last answer. */
  async #deliver(delivery: Delivery): Promise<Sent> {
    const answer = await this.#deliverUntilTaken(delivery)
    return this.#plan === 'twice' && isTaken(answer) ? this.#deliverUntilTaken(delivery) : answer
  }

  async #deliverUntilTaken(delivery: Delivery): Promise<Sent> {
    const { event } = delivery
    const { url, webhookSecret } = this.#app
    for (let attempt = 1; ; attempt++) {
      const sent = await this.#note(event.type, event.id, () =>
        deliver(`${url}/api/stripe/webhook`, delivery, webhookSecret),
      )
      if (isTaken(sent) || attempt === ATTEMPTS) return sent
    }
  }

  #request({ route, id, headers, body }: AppRequest): Promise<Sent> {
    return this.#note(`POST ${route}`, id, async () => {
      const began = performance.now()
      const answer = await fetch(`${this.#app.url}${route}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: JSON.stringify(body),
      })
      return { status: answer.status, body: await answer.text(), ms: performance.now() - began }
    })
  }

  /** Sends, and notes what it left in the database. */
  async #note(what: string, id: string, send: () => Promise<Answer>): Promise<Sent> {
    const before = this.#snapshot
    const { log } = this.#app
    const logged = log.length
    const { status, body, ms } = await send()
    this.#snapshot = await readLedger(this.#client)
    const sent = {
      what,
      id,
      status,
      body,
      ms,
      logged: log.slice(logged).flatMap(({ level, text }) => (TROUBLE.has(level) ? [text] : [])),
      changes: changesBetween(before, this.#snapshot),
    }
    this.#sent.push(sent)
    return sent
  }
}

const TROUBLE: ReadonlySet<string> = new Set(['warn', 'error'])

const NOTHING: Happened = { deliveries: [], subjects: {} }

interface Answer {
  readonly status: number
  readonly body: string
  readonly ms: number
}

const isTaken = ({ status }: Sent): boolean => status >= 200 && status < 300

interface AppRequest {
  readonly route: string
  readonly id: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Readonly<Record<string, unknown>>
}

function adjustment(cast: Cast, act: AdminAct): AppRequest {
  const id = cast.requestId(act)
  const { reason } = act
  return {
    route: '/api/admin/users/adjust-tokens',
    id,
    headers: { 'idempotency-key': id },
    body: { userId: cast.person(act.who).userId, delta: Number(act.delta), reason },
  }
}

function use(cast: Cast, { who, action, tokens, success }: UseAct): AppRequest {
  return {
    route: '/api/ai/use',
    id: action,
    headers: {},
    body: {
      userId: cast.person(who).userId,
      actionType: action,
      model: 'gpt-5',
      tokens: Number(tokens),
      success,
    },
  }
}

function complaintsAboutAnswers({ answer: told }: Step, answers: readonly Sent[]): string[] {
  const isAsTold = (sent: Sent) => `${Math.floor(sent.status / 100)}xx` === told
  const complaints = answers
    .filter((sent) => !isTaken(sent) && !isAsTold(sent))
    .map(({ what, id, status, body }) => `${what} ${id} was answered ${status}: ${oneLine(body)}`)
  if (told !== '2xx' && !answers.some(isAsTold)) complaints.push(`nothing was answered ${told}`)
  return complaints
}
