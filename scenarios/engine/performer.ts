import type { Client } from 'pg'
import { NoAnswer } from '../../fixtures/http-client.ts'
import { UsageError } from '../../fixtures/postgres/usage-error.ts'
import type { StandIn } from '../../fixtures/stripe/stand-in.ts'
import type { AppProcess } from './app-process.ts'
import { adjustment, use } from './app-request.ts'
import type { AppUnderTest } from './app-under-test.ts'
import type { Cast } from './cast.ts'
import type { Connections } from './connections.ts'
import { complaintsAbout, complaintsAboutEnd, type Subjects } from './effects.ts'
import { type Decision, overlap, turnsOf } from './explore/overlap.ts'
import { FaultAt } from './fault-at.ts'
import { actInHouse, isInDatabase } from './house.ts'
import { type DeliveryJob, deliveryJob, forgeryJob, type Job, requestJob } from './jobs.ts'
import { changesBetween, type Snapshot } from './ledger.ts'
import {
  type As,
  type Directive,
  FAULTS,
  isKill,
  isSame,
  isTwice,
  type JobRef,
  lastStepOf,
  leavesItsStep,
  misfitIn,
  needsOwnProcess,
  type Plan,
  printRef,
  refsIn,
} from './plan.ts'
import { complaintsAboutRecords, stripeNow } from './records.ts'
import { type Step, type Story, say } from './story.ts'
import { isTaken, oneLine, type PlayedStep, type Sent, UNANSWERED } from './timeline.ts'

/** Stripe goes on for three days; here a delivery that is refused is sent this often with each step. */
const ATTEMPTS = 3

export interface Surroundings {
  readonly client: Client
  readonly readLedger: () => Promise<Snapshot>
  readonly app: AppUnderTest
  readonly cast: Cast
  readonly standIn: StandIn
  readonly connections: Connections
  readonly plan: Plan
  /** What each request has left in the database is read after each, for the timeline; else after each step. */
  readonly isWatched: boolean
  readonly onSent: OnSent | undefined
}

/** Told after each attempt. */
export type OnSent = (ref: JobRef, what: string) => void

/** One performance of a story: what was seen so far. */
export class Performer {
  readonly #at: Surroundings
  readonly #complaints: string[] = []
  #snapshot: Snapshot = { rows: [], profiles: [] }
  #sent: Sent[] = []
  readonly #jobs: Job[] = []
  /** Jobs whose time has not come yet. */
  #held: Job[] = []
  /** Jobs that wait for those that they overlap. */
  readonly #waiting: Job[] = []
  readonly #decisions: Decision[] = []
  readonly #answers = new Map<Job, Sent>()

  constructor(at: Surroundings) {
    this.#at = at
  }

  async play(story: Story): Promise<{
    played: PlayedStep[]
    complaints: string[]
    decisions: readonly Decision[]
    isCut: boolean
  }> {
    const { client, cast, plan } = this.#at
    const users = new Map(story.people.map(({ name }) => [name, cast.person(name).userId]))
    const balances = new Map(story.people.map(({ name, balance }) => [name, balance]))
    const played: PlayedStep[] = []
    const told: { step: Step; subjects: Subjects }[] = []
    const byStep = !leavesItsStep(plan)
    await this.#look()
    const first = this.#snapshot
    const atStripe = stripeNow(cast.stripe.world)
    const misfit = misfitIn(plan, story.steps.length)
    if (misfit !== undefined) throw new PlanError(misfit)
    if (needsOwnProcess(plan)) this.#process()
    for (const [index, step] of story.steps.entries()) {
      const before = this.#snapshot
      this.#sent = []
      const where = `step ${index + 1} (${say(step.act)})`
      const done = await this.#carryOut(step, index + 1, story.steps.length).catch((error: unknown) => {
        if (error instanceof NoAnswer) return error
        throw error
      })
      await this.#look()
      if (done instanceof NoAnswer) {
        const rest = story.steps.length - index - 1
        this.#complaints.push(`${where}: ${done.message}${rest > 0 ? `; ${rest} more steps not played` : ''}`)
        played.push({ step, sent: this.#sent, snapshot: this.#snapshot })
        return { played, complaints: this.#complaints, decisions: this.#decisions, isCut: true }
      }
      const { subjects, answers } = done
      for (const [name, balance] of Object.entries(step.balances)) balances.set(name, balance)
      told.push({ step, subjects })
      const complaints = [
        ...complaintsAboutAnswers(step, byStep ? answers : []),
        ...(byStep
          ? complaintsAbout({ step, before, after: this.#snapshot, subjects, users, balances })
          : []),
      ]
      this.#complaints.push(...complaints.map((one) => `${where}: ${one}`))
      played.push({ step, sent: this.#sent, snapshot: this.#snapshot })
    }
    if (!byStep) {
      this.#complaints.push(...complaintsAboutEnd({ told, before: first, after: this.#snapshot, users }))
    }
    this.#complaints.push(...(await complaintsAboutRecords(client, cast.stripe.world, atStripe)))
    return { played, complaints: this.#complaints, decisions: this.#decisions, isCut: false }
  }

  /** A step, and what comes when all are over. Throws NoAnswer. */
  async #carryOut(step: Step, number: number, of: number): Promise<{ subjects: Subjects; answers: Sent[] }> {
    const { subjects, answers } = await this.#act(step, number)
    if (this.#at.plan.some((one) => one.do === 'restart' && one.step === number)) await this.#restart()
    if (number === of) answers.push(...(await this.#last()))
    return { subjects, answers }
  }

  /** Does what the step says, and sends what comes of it, after what could not be delivered before. */
  async #act(step: Step, number: number): Promise<{ subjects: Subjects; answers: Sent[] }> {
    const { cast, plan } = this.#at
    const before = cast.undelivered
    const answered = new Set(this.#answers.keys())
    let happened: Promise<Happened> | undefined
    const happen = () => {
      happened ??= this.#happen(step, number)
      return happened
    }
    const answers = await this.#meanwhile(step, number, happen)
    const { jobs, subjects: own } = await happen()
    const subjects = { ...before.subjects, ...own }
    const again = before.deliveries.map((delivery) =>
      deliveryJob(this.#at, delivery, { step: number, place: 0 }),
    )
    const queue = [...again, ...this.#inOrder(jobs, number), ...this.#due(number)]
    for (const job of queue) {
      if (this.#answers.has(job)) continue
      if (this.#isLate(job, number)) this.#held.push(job)
      else answers.push(...(await this.#carry(job)))
    }
    for (const job of jobs) answers.push(...(await this.#again(job, 'later')))
    const refused = [...this.#answers].filter(
      ([job, answer]) => job.kind === 'delivery' && !answered.has(job) && !isTaken(answer),
    )
    cast.undelivered = {
      deliveries: refused.map(([job]) => (job as DeliveryJob).delivery),
      // What is granted later is told later, though by this plan it may have been late and taken at once.
      subjects: step.answer === '5xx' ? subjects : {},
    }
    this.#jobs.push(...jobs)
    for (const directive of plan) this.#checkPlaces(directive, number, jobs.length)
    return { subjects, answers }
  }

  /**
   * What overlaps something of an earlier step: that has begun when the step is done, at the first turn of the step's
   * own, so that it may have asked Stripe before it. What comes before the step's own comes in its turns.
   */
  async #meanwhile(step: Step, number: number, happen: () => Promise<Happened>): Promise<Sent[]> {
    const directive = this.#at.plan.find(
      (one) => one.do === 'overlap' && leavesItsStep([one]) && lastStepOf(one) === number,
    )
    if (directive?.do !== 'overlap') return []
    const own = directive.jobs.find((ref) => ref.step === number)
    if (own !== undefined && isInDatabase(step.act)) throw notThere(own, 0)
    const overlaps = ({ ref }: Job) => directive.jobs.some((job) => isSame(job, ref))
    const held = this.#due(number)
    this.#held.push(...held.filter((job) => !overlaps(job)))
    const answers: Sent[] = []
    const begun = new Set<Job>()
    const find = async (ref: JobRef): Promise<Job> => {
      const there = ref.step < number ? held : this.#inOrder((await happen()).jobs, number)
      const index = there.findIndex((one) => isSame(one.ref, ref))
      const job = there[index]
      if (job === undefined) throw notThere(ref, there.length)
      const before = ref.step < number ? [] : there.slice(0, index)
      for (const one of before.filter((other) => !overlaps(other) && !this.#isLate(other, number))) {
        if (begun.has(one)) continue
        begun.add(one)
        if (this.#disturbance(one.ref) !== undefined || this.#overlapOf(one.ref) !== undefined)
          throw new PlanError(
            `${printRef(one.ref)} comes while others overlap: nothing else can happen to it`,
          )
        answers.push(...(await this.#carry(one)))
      }
      return job
    }
    answers.push(...(await this.#overlap(directive, find)))
    return answers
  }

  /** What comes when all steps are over. */
  async #last(): Promise<Sent[]> {
    const answers: Sent[] = []
    const held = this.#held
    this.#held = []
    for (const job of held) answers.push(...(await this.#carry(job)))
    for (const job of this.#jobs) answers.push(...(await this.#again(job, 'last')))
    return answers
  }

  async #happen({ act, answer }: Step, step: number): Promise<Happened> {
    const { cast, client, plan } = this.#at
    switch (act.do) {
      case 'admin': {
        if (answer === '2xx') cast.request(act)
        const clicks = act.clicks * (isTwice(plan) ? 2 : 1)
        const jobs = Array.from({ length: clicks }, (_, click) =>
          requestJob(this.#at, 'admin', adjustment(cast, act), { step, place: click + 1 }),
        )
        return { jobs, subjects: { admin: cast.requestId(act) } }
      }
      case 'use':
        return { jobs: [requestJob(this.#at, 'use', use(cast, act), { step, place: 1 })], subjects: {} }
      case 'forge':
        return { jobs: [forgeryJob(this.#at, act, { step, place: 1 })], subjects: {} }
      case 'use-old-endpoint':
        cast.usesOldEndpoint = true
        return { jobs: [], subjects: {} }
      default: {
        if (isInDatabase(act)) {
          await actInHouse(client, cast, act)
          return { jobs: [], subjects: {} }
        }
        const { deliveries, subjects } = cast.act(act)
        return {
          jobs: deliveries.map((one, index) => deliveryJob(this.#at, one, { step, place: index + 1 })),
          subjects,
        }
      }
    }
  }

  #inOrder(jobs: readonly Job[], number: number): readonly Job[] {
    const order = this.#at.plan.find((one) => one.do === 'order' && one.step === number)
    if (order?.do !== 'order') return jobs
    const places = jobs.map(({ ref }) => ref.place)
    if (order.places.toSorted((a, b) => a - b).join() !== places.join()) {
      throw new PlanError(
        `order ${number}: the step has ${jobs.length} deliveries, so each of ${places.join(',')} once`,
      )
    }
    return order.places.map((place) => jobs[place - 1] as Job)
  }

  /** Held jobs whose time has come: they follow the step's own. */
  #due(number: number): readonly Job[] {
    const due = this.#held.filter((job) => !this.#isLate(job, number))
    this.#held = this.#held.filter((job) => !due.includes(job))
    return due
  }

  #isLate({ ref }: Job, now: number): boolean {
    return this.#at.plan.some((one) => {
      if (one.do === 'late') return isSame(one.job, ref) && (one.until === 'last' || one.until > now)
      // Who overlaps something of a later step waits for it.
      return (
        one.do === 'overlap' &&
        one.jobs.some((job) => isSame(job, ref)) &&
        one.jobs.some(({ step }) => step > now)
      )
    })
  }

  /** Sends a job until it is taken, as the plan says; its last answer, and those of its repetitions. */
  async #carry(job: Job): Promise<Sent[]> {
    const overlapping = this.#overlapOf(job.ref)
    if (overlapping !== undefined) {
      this.#waiting.push(job)
      const there = (ref: JobRef) => this.#waiting.find((one) => isSame(one.ref, ref))
      return overlapping.jobs.every(there) ? this.#overlap(overlapping, async (ref) => there(ref) as Job) : []
    }
    const disturbance = this.#disturbance(job.ref)
    const answer = await this.#untilTaken(job, 'same', disturbance)
    this.#answers.set(job, answer)
    // Nobody repeats AI use that was disturbed: its answer is what it is.
    if (job.kind === 'use' && disturbance !== undefined) return []
    return [answer, ...(await this.#again(job, 'now'))]
  }

  /** Sends them together; `find`: awaited at the first turn of each. */
  async #overlap({ jobs: refs, turns }: Overlap, find: (ref: JobRef) => Promise<Job>): Promise<Sent[]> {
    const { proxy } = this.#at.app
    if (proxy === undefined)
      throw new PlanError("overlaps need an app whose statements pass the engine's proxy")
    const faults = refs.map((ref, index) =>
      refs.findIndex((other) => isSame(other, ref)) === index ? this.#faultMeanwhile(ref, refs) : undefined,
    )
    const { results, decisions } = await overlap(
      proxy,
      refs.map((ref) => async () => {
        const job = await find(ref)
        return { job, sent: await this.#attempt(job, 'same') }
      }),
      turnsOf(turns),
      faults,
    )
    for (const [index, fault] of faults.entries()) {
      fault?.check((why) => results[index] && this.#missed(results[index].job, why))
    }
    this.#decisions.push(...decisions)
    // Else they stay for the next run.
    if (this.#at.isWatched) await proxy.removeStops()
    const answers: Sent[] = []
    for (const { job, sent } of results) {
      // An event that was taken once is not sent again, whatever came of it otherwise.
      const taken = results.find((other) => other.job === job && isTaken(other.sent))?.sent
      const result = job.kind === 'delivery' ? (taken ?? sent) : sent
      const answer = isTaken(result) || job.kind === 'use' ? result : await this.#untilTaken(job, 'same')
      this.#answers.set(job, answer)
      answers.push(answer)
    }
    for (const job of new Set(results.map((one) => one.job))) answers.push(...(await this.#again(job, 'now')))
    return answers
  }

  #faultMeanwhile(ref: JobRef, refs: readonly JobRef[]): FaultAt | undefined {
    const disturbance = this.#disturbance(ref)
    if (disturbance === undefined) return undefined
    if (disturbance.do === 'stripe' || isKill(disturbance.how))
      throw new PlanError(
        `${printRef(ref)} overlaps: only ${FAULTS.join(', ')} can happen to its statements meanwhile`,
      )
    if (refs.some(({ step }) => step < ref.step))
      throw new PlanError(
        `${printRef(ref)} overlaps something of an earlier step: only to that something can happen`,
      )
    return new FaultAt(disturbance.statement, disturbance.how, async () => {})
  }

  async #again(job: Job, when: 'now' | 'later' | 'last'): Promise<Sent[]> {
    const answers: Sent[] = []
    const taken = this.#answers.get(job)
    for (const one of this.#at.plan) {
      if (one.do === 'again' && one.when === when && isSame(one.job, job.ref)) {
        answers.push(await this.#untilTaken(job, one.as))
      }
      if (one.do === 'twice' && when === 'now' && job.kind === 'delivery' && taken && isTaken(taken)) {
        answers.push(await this.#untilTaken(job, 'same'))
      }
    }
    return answers
  }

  #overlapOf(ref: JobRef): Overlap | undefined {
    return this.#at.plan.find((one): one is Overlap => {
      return one.do === 'overlap' && one.jobs.some((job) => isSame(job, ref))
    })
  }

  #disturbance(ref: JobRef): Disturbance | undefined {
    return this.#at.plan.find((one) => (one.do === 'fault' || one.do === 'stripe') && isSame(one.job, ref)) as
      | Disturbance
      | undefined
  }

  async #untilTaken(job: Job, as: As, disturbance?: Disturbance): Promise<Sent> {
    for (let attempt = 1; ; attempt++) {
      const sent =
        attempt === 1 && disturbance ? await this.#disturbed(job, disturbance) : await this.#attempt(job, as)
      // Nobody repeats an AI call that may have been made.
      const attempts = job.kind === 'delivery' || (job.kind === 'admin' && disturbance) ? ATTEMPTS : 1
      if (isTaken(sent) || attempt >= attempts) return sent
    }
  }

  async #disturbed(job: Job, disturbance: Disturbance): Promise<Sent> {
    const { app, standIn } = this.#at
    if (disturbance.do === 'stripe') {
      const hit = standIn.disturb(disturbance.call, disturbance.how)
      const sent = await this.#attempt(job, 'same')
      const { calls, hits } = hit.end()
      if (hits === 0) this.#missed(job, `made ${calls} calls of Stripe's API, not ${disturbance.call}`)
      return sent
    }
    const { proxy } = app
    if (proxy === undefined)
      throw new PlanError("faults need an app whose statements pass the engine's proxy")
    const fault = new FaultAt(disturbance.statement, disturbance.how, () => this.#process().kill())
    proxy.gate = fault
    const sent = await this.#attempt(job, 'same', fault).finally(() => {
      proxy.gate = undefined
    })
    fault.check((why) => this.#missed(job, why))
    if (fault.hasKilled) await this.#process().start()
    return sent
  }

  #process(): AppProcess {
    const { process } = this.#at.app
    if (process === undefined) throw new PlanError(NEEDS_PROCESS)
    return process
  }

  async #restart(): Promise<void> {
    await this.#process().close()
    await this.#process().start()
  }

  #missed(job: Job, why: string): void {
    this.#complaints.push(`the plan's fault never hit: ${printRef(job.ref)} (${job.what}) ${why}`)
  }

  #checkPlaces(directive: Directive, number: number, there: number): void {
    for (const ref of refsIn(directive)) {
      if (ref.step === number && ref.place > there) throw notThere(ref, there)
    }
  }

  /** Sends once, and notes what it left in the database. Throws NoAnswer, unless that is the fault's doing. */
  async #attempt(job: Job, as: As, fault?: FaultAt): Promise<Sent> {
    const { app, client, connections, isWatched, onSent } = this.#at
    const before = this.#snapshot
    const logged = app.log.length
    const began = performance.now()
    const answer = await job.send(as).catch((error: unknown) => {
      if (error instanceof NoAnswer) return error
      throw error
    })
    const { status, body } =
      answer instanceof NoAnswer
        ? { status: UNANSWERED, body: fault?.hasKilled ? 'the app was killed' : answer.message }
        : {
            status: answer.status,
            body: answer.location
              ? `redirects to ${answer.location}, and Stripe follows no redirect`
              : answer.body,
          }
    const ms = performance.now() - began
    if (isWatched) await this.#look()
    const sent: Sent = {
      what: as === 'same' ? job.what : `${job.what} (${as})`,
      id: job.id,
      status,
      body,
      ms,
      statements: app.proxy?.log?.take() ?? [],
      logged: app.log.slice(logged).flatMap(({ level, text }) => (TROUBLE.has(level) ? [text] : [])),
      changes: changesBetween(before, this.#snapshot),
    }
    this.#sent.push(sent)
    onSent?.(job.ref, job.what)
    if (answer instanceof NoAnswer && !fault?.hasKilled) {
      const state =
        (await app.process?.endSoon()) ?? `it has ${await connections.count(client)} connections to Postgres`
      throw new NoAnswer(`${sent.what} ${job.id}: ${answer.message}; ${state}`, { cause: answer })
    }
    const leak = await connections.look(client)
    if (leak !== undefined) this.#complaints.push(`${sent.what} ${job.id}: ${leak}`)
    return sent
  }

  async #look(): Promise<void> {
    this.#snapshot = await this.#at.readLedger()
  }
}

const NEEDS_PROCESS =
  'to kill and restart the app it has to run in a process of its own: one of ours, with --own-process'

/** The plan does not fit the story, or the app. */
export class PlanError extends UsageError {}

const notThere = (ref: JobRef, there: number): PlanError =>
  new PlanError(`${printRef(ref)}: step ${ref.step} has ${there} deliveries or requests`)

/** What came of a step: what is sent to the app, and whom it is about. */
interface Happened {
  readonly jobs: readonly Job[]
  readonly subjects: Subjects
}

type Overlap = Extract<Directive, { do: 'overlap' }>

type Disturbance = Extract<Directive, { do: 'fault' | 'stripe' }>

const TROUBLE: ReadonlySet<string> = new Set(['warn', 'error'])

function complaintsAboutAnswers({ answer: told }: Step, answers: readonly Sent[]): string[] {
  const isAsTold = (sent: Sent) => `${Math.floor(sent.status / 100)}xx` === told
  const complaints = answers
    .filter((sent) => !isTaken(sent) && !isAsTold(sent))
    .map(({ what, id, status, body }) => `${what} ${id} was answered ${status}: ${oneLine(body)}`)
  if (told !== '2xx' && answers.length > 0 && !answers.some(isAsTold))
    complaints.push(`nothing was answered ${told}`)
  return complaints
}
