import type { StandIn } from '../../../fixtures/stripe/stand-in.ts'
import type { WireGate, WireRequest, WireSession } from '../explore/wire-proxy.ts'
import { FAULTS, type Fault, type QUICK_STRIPE_FAULTS } from '../plan.ts'

/** What is done to the app: at a statement of its own, or at its calls of Stripe's API. */
export const SOAK_FAULTS = [...FAULTS, 'killed', 'stripe'] as const
export type SoakFault = (typeof SOAK_FAULTS)[number]

/** Whoever faults are planned for: one user. */
export interface Victim {
  /** Told of each fault that hits what is done in this user's name, or everybody. */
  suffer(what: string): void
}

/** A fault at the n-th statement from now on in a user's name. */
interface Armed {
  readonly victim: Victim
  readonly how: Fault | 'killed'
  left: number
}

/**
 * Disturbs the app where it was planned, and counts what was planned and what hit. The wire does not say for which
 * delivery a statement is, but most transactions name somebody: the user, the subscription, the session.
 */
export class Faults implements WireGate {
  readonly planned: Record<SoakFault, number> = { fails: 0, ended: 0, unanswered: 0, killed: 0, stripe: 0 }
  readonly hit: Record<SoakFault, number> = { fails: 0, ended: 0, unanswered: 0, killed: 0, stripe: 0 }
  readonly #owners = new Map<string, Victim>()
  readonly #named = new WeakMap<WireSession, Victim>()
  readonly #armed = new Set<Armed>()
  readonly #standIn: StandIn
  readonly #kill: () => void
  readonly #everybody: ReadonlySet<Victim>
  #isOutage = false

  /**
   * @param kill ends the app's process, and starts it again
   * @param everybody who is there at the moment
   */
  constructor(standIn: StandIn, kill: () => void, everybody: ReadonlySet<Victim>) {
    this.#standIn = standIn
    this.#kill = kill
    this.#everybody = everybody
  }

  /** From now on what names this id is in the victim's name. */
  owns(victim: Victim, id: string): void {
    this.#owners.set(id, victim)
  }

  /**
   * Plans a fault at the n-th statement in the victim's name, until the plan is taken back.
   * @returns takes it back
   */
  arm(victim: Victim, how: Fault | 'killed', statement: number): () => void {
    const armed = { victim, how, left: statement }
    this.planned[how]++
    this.#armed.add(armed)
    return () => this.#armed.delete(armed)
  }

  /**
   * Puts Stripe's API out of order, for everybody. Undefined: it is out of order already.
   * @returns ends it
   */
  beginOutage(how: (typeof QUICK_STRIPE_FAULTS)[number]): (() => void) | undefined {
    if (this.#isOutage) return undefined
    this.#isOutage = true
    this.planned.stripe++
    this.#tellAll(`Stripe's API is out of order from here on: ${how}`)
    const disturbed = this.#standIn.disturb(1, how)
    return () => {
      const { hits } = disturbed.end()
      this.#isOutage = false
      if (hits > 0) this.hit.stripe++
      this.#tellAll(`Stripe's API is in order again: ${hits} calls of the app were disturbed`)
    }
  }

  /** Whether Stripe's API is out of order now. */
  get isOutage(): boolean {
    return this.#isOutage
  }

  async before(request: WireRequest): Promise<'pass' | Fault> {
    const victim = this.#victimOf(request)
    if (victim === undefined) return 'pass'
    for (const armed of this.#armed) {
      if (armed.victim !== victim || --armed.left > 0) continue
      this.#armed.delete(armed)
      this.hit[armed.how]++
      victim.suffer(`${IN_WORDS[armed.how]}: ${request.sql.replaceAll(/\s+/g, ' ').trim().slice(0, 100)}`)
      if (armed.how !== 'killed') return armed.how
      this.#tellAll("the app's process is killed, and started again")
      this.#kill()
    }
    return 'pass'
  }

  async after(): Promise<void> {}

  #tellAll(what: string): void {
    for (const one of this.#everybody) one.suffer(what)
  }

  #victimOf({ session, sql, bytes }: WireRequest): Victim | undefined {
    if (BEGINS.test(sql)) this.#named.delete(session)
    for (const [id] of bytes.toString('latin1').matchAll(IDS)) {
      const owner = this.#owners.get(id)
      if (owner !== undefined) this.#named.set(session, owner)
    }
    return this.#named.get(session)
  }
}

const BEGINS = /^\s*begin\b/i
const IDS = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b(?:sub|cs)_[A-Za-z0-9_]+/g

const IN_WORDS: Readonly<Record<Fault | 'killed', string>> = {
  fails: 'this statement fails',
  ended: 'the backend is ended before this statement',
  unanswered: 'this statement is done, and its answer is lost',
  killed: 'this statement is the last of the app’s process',
}
