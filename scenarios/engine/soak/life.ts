import type { Answer } from '../../../fixtures/http-client.ts'
import { adjustment, use } from '../app-request.ts'
import { Cast } from '../cast.ts'
import { MOVES } from '../explore/kinds.ts'
import { FAULTS, QUICK_STRIPE_FAULTS } from '../plan.ts'
import { type AdminAct, type StripeAct, say, type UseAct } from '../story.ts'
import { isTaken, oneLine } from '../timeline.ts'
import { Doings } from './acts.ts'
import { Dice } from './dice.ts'
import type { Faults, Victim } from './faults.ts'
import type { Figures } from './figures.ts'
import { deliveryJob, isAnswered, type Job, requestJob, unanswered } from './job.ts'
import type { SoakApp } from './soak-app.ts'

/** What all users of a soak share. */
export interface Town {
  readonly app: SoakApp
  readonly webhookSecret: string
  readonly faults: Faults
  readonly figures: Figures
  /** Aborted: nothing more is sent. */
  readonly signal: AbortSignal
  /** When it began, by performance.now(). */
  readonly began: number
}

/** An AI use, and whether the app has said that it is recorded; else nobody knows. */
export interface Used {
  readonly act: UseAct
  readonly isTaken: boolean
}

/** The app refuses a delivery for ever, although nothing disturbs it. */
export class NeverTaken extends Error {
  readonly life: Life

  constructor(life: Life, what: string) {
    super(what)
    this.life = life
  }
}

const HOUR_MS = 3_600_000
/** Nobody lives longer, on Stripe's clock: what is owed from later than the audit's own time would not be judged. */
const LIFE_HOURS = 365 * 24
/** How long an app may refuse what nothing disturbs. */
const REFUSALS = 3

/** One user, from the first purchase on: does one thing after the other, and all that comes of one is sent at once. */
export class Life implements Victim {
  readonly cast: Cast
  readonly userId: string
  readonly uses: Used[] = []
  /** What happened, a line each, in order. */
  readonly record: string[] = []
  readonly #town: Town
  readonly #doings: Doings
  readonly #dice: Dice
  readonly #acts: number
  readonly #end: number
  #held: Job[] = []
  #underWay = 0
  #suffered = 0
  readonly #sent = new Set<string>()

  /** Everything that this user does follows from the name. */
  constructor(name: string, town: Town) {
    const dice = new Dice(`${name} sends`)
    this.cast = new Cast(name, [{ name, hasDraft: dice.onceIn(4), balance: 0n }])
    this.userId = this.cast.person(name).userId
    this.#town = town
    this.#dice = dice
    this.#doings = new Doings(name, new Dice(`${name} does`))
    this.#acts = 5 + dice.roll(15)
    this.#end = this.#now + LIFE_HOURS * HOUR_MS
    town.faults.owns(this, this.userId)
  }

  get name(): string {
    return this.cast.name
  }

  suffer(what: string): void {
    this.#suffered++
    this.#tell(`! ${what}`)
  }

  /**
   * Lives on while it may, and then has everything delivered that the app has not taken yet.
   * @throws NeverTaken
   */
  async live(goesOn: () => boolean): Promise<void> {
    const { signal } = this.#town
    for (let acts = 0; acts < this.#acts && this.#now < this.#end && goesOn(); acts++) {
      if (signal.aborted) return
      await this.#act(this.#doings.next())
    }
    for (let job = this.#held.shift(); job !== undefined && !signal.aborted; job = this.#held.shift()) {
      await this.#sendInPeace(job)
    }
  }

  get #now(): number {
    return this.cast.stripe.now.getTime()
  }

  async #act(act: StripeAct | AdminAct): Promise<void> {
    this.#tell(`— ${say(act)}`)
    const dice = this.#dice
    const jobs = this.#happen(act)
    const late = jobs.filter(({ kind }) => kind === 'delivery' && dice.onceIn(6))
    for (const job of late) job.due = this.#now + dice.roll(72) * HOUR_MS
    const due = this.#held.filter((job) => job.due <= this.#now)
    this.#held = [...this.#held.filter((job) => job.due > this.#now), ...late]
    const prompt = [...jobs.filter((job) => !late.includes(job)), ...due]
    const again = prompt.filter((job) => job.kind !== 'use' && dice.onceIn(4)).map((job) => ({ ...job }))
    const uses = Array.from({ length: dice.roll(3) - 1 }, () => this.#use())
    await Promise.all(
      dice.shuffled([...prompt, ...again, ...uses]).map((job) => this.#send(job, this.#disturb(job))),
    )
  }

  #happen(act: StripeAct | AdminAct): Job[] {
    if (act.do === 'admin') {
      this.cast.stripe.advance({ hours: 1 })
      this.cast.request(act)
      return Array.from({ length: act.clicks }, () => requestJob('admin', adjustment(this.cast, act)))
    }
    const { deliveries } = this.cast.act(act)
    for (const { event } of deliveries) this.#town.faults.owns(this, String(event.data.object.id))
    return deliveries.map((delivery) => deliveryJob(delivery, this.#town.webhookSecret))
  }

  #use(): Job {
    const act = this.#doings.use()
    const job = requestJob('use', use(this.cast, act))
    return {
      ...job,
      id: `${act.action} ${act.tokens}`,
      send: async (url) => {
        const answer = await job.send(url)
        this.uses.push({ act, isTaken: isTaken(answer) })
        return answer
      },
    }
  }

  /** Plans what disturbs the next sending, if anything does; returns what ends that. */
  #disturb({ what }: Job): () => void {
    const dice = this.#dice
    if (!MOVES.test(what)) return NOTHING
    const { faults } = this.#town
    if (dice.onceIn(8)) return faults.arm(this, dice.one(FAULTS), dice.roll(10))
    if (dice.onceIn(200)) return faults.arm(this, 'killed', dice.roll(10))
    if (dice.onceIn(150)) return faults.beginOutage(dice.one(QUICK_STRIPE_FAULTS)) ?? NOTHING
    return NOTHING
  }

  /** Sends once, while nothing new is planned for this user. */
  async #sendInPeace(job: Job): Promise<void> {
    const suffered = this.#suffered
    const isOutage = this.#town.faults.isOutage
    const answer = await this.#send(job, NOTHING)
    if (isTaken(answer) || isOutage || this.#suffered > suffered) return
    if (++job.refusedInPeace < REFUSALS) return
    throw new NeverTaken(
      this,
      `${job.what} ${job.id} was refused ${job.attempts} times, at last with nothing to disturb it: ${answer.status} ${oneLine(answer.body)}`,
    )
  }

  async #send(job: Job, endDisturbance: () => void): Promise<Answer> {
    const { app, figures, signal } = this.#town
    if (job.kind === 'delivery') figures.deliveries++
    else figures.requests++
    if (this.#underWay > 0) figures.overlapped++
    if (this.#sent.has(job.id)) figures.repeated++
    this.#sent.add(job.id)
    this.#underWay++
    job.attempts++
    const answer = await app.url.then((url) => job.send(url), unanswered)
    this.#underWay--
    endDisturbance()
    if (signal.aborted) return answer
    if (job.kind === 'delivery' && isAnswered(answer)) figures.answered()
    this.#tell(
      `  ${job.what.padEnd(40)} ${job.id}${job.attempts > 1 ? `, attempt ${job.attempts}` : ''}: ${isAnswered(answer) ? answer.status : 'no answer'} after ${Math.round(answer.ms)} ms  ${oneLine(answer.body)}`,
    )
    if (isTaken(answer)) return answer
    figures.refused++
    // Nobody repeats an AI call that may have been made.
    if (job.kind !== 'use') {
      job.due = this.#now + 3 ** Math.min(job.attempts, 4) * HOUR_MS
      this.#held.push(job)
    }
    return answer
  }

  #tell(what: string): void {
    const at = ((performance.now() - this.#town.began) / 1_000).toFixed(3)
    this.record.push(`${at.padStart(9)} s  ${this.cast.stripe.now.toISOString().slice(0, 16)}Z  ${what}`)
  }
}

const NOTHING = () => {}
