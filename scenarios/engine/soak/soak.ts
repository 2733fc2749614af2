import { entitlements, parseEvidence } from '../../../audits/evidence.ts'
import { unreachable } from '../../../fixtures/app/unreachable.ts'
import { withDatabase } from '../../../fixtures/postgres/connection.ts'
import { startStandIn } from '../../../fixtures/stripe/stand-in.ts'
import { AppProcess } from '../app-process.ts'
import { evidenceOf } from '../cast.ts'
import { WireProxy } from '../explore/wire-proxy.ts'
import { addOtherTier, usersIn } from '../house.ts'
import { readLedger, type Snapshot } from '../ledger.ts'
import { allRules } from '../outcome.ts'
import { STORIES } from '../stories.ts'
import { renderRow } from '../timeline.ts'
import { Faults } from './faults.ts'
import { Figures } from './figures.ts'
import type { Plot } from './ground.ts'
import { Life, NeverTaken, type Town } from './life.ts'
import { type Reckoning, reckon } from './reckoning.ts'
import { SoakApp } from './soak-app.ts'
import { type Confirmed, type Look, StandbyAudit } from './standby-audit.ts'

export interface SoakOptions {
  readonly plot: Plot
  /** A revision of the reference app, or a directory of routes. */
  readonly app: string
  /** What users do follows from it, and the dice for faults; how requests meet does not, nor what is sent again for that. */
  readonly seed: number
  /** Asked before each act of a user: whether there is to be more. */
  readonly goesOn: (progress: Progress) => boolean
  /** Aborted: the soak ends with the figures so far. */
  readonly signal: AbortSignal
}

export interface Progress {
  readonly figures: Figures
  readonly faults: Faults
  readonly looks: Readonly<Record<Look, number>>
}

/** What is wrong, and what happened to whom it is wrong for. */
export interface Violation {
  readonly text: string
  /** Undefined: it is nobody's in particular, or was told before, or of too many. */
  readonly timeline: readonly string[] | undefined
}

export interface Soaked extends Progress {
  readonly seconds: number
  readonly highestLagMs: number
  /** How often the standby was audited while deliveries were under way. */
  readonly looksMeanwhile: number
  readonly violations: readonly Violation[]
  /** Why this can't be called green, although nothing was found. */
  readonly doubts: readonly string[]
  /** Undefined: it did not come to the end. */
  readonly reckoning: Reckoning | undefined
}

/** Users who live at the same time. */
const CROWD = 12
const WEBHOOK_SECRET = 'whsec_of_the_soak'
/** Users whose timeline is told, and problems that are told. */
const TOLD = 3

/** Ends what is under way at the first violation. */
class Found extends Error {
  readonly confirmed: readonly Confirmed[]

  constructor(confirmed: readonly Confirmed[]) {
    super('a violation was found')
    this.confirmed = confirmed
  }
}

/**
 * Users live their lives at full speed, disturbed, on an app in a process of its own, and the audit looks at the standby
 * meanwhile. It stops at the first violation. At the end all that is undelivered is delivered until it is taken, what
 * is owed is compared with the ledger, and the audit looks once more, at all of it.
 *
 * @throws Error when it can't be run: the app does not start, the database does not answer
 */
export async function soak(options: SoakOptions): Promise<Soaked> {
  const closers: (() => Promise<void>)[] = []
  try {
    return await new Soak(options, (close) => void closers.unshift(close)).run()
  } finally {
    for (const close of closers) await close()
  }
}

class Soak {
  readonly #options: SoakOptions
  readonly #closing: (close: () => Promise<void>) => void
  #began = performance.now()
  readonly #figures = new Figures()
  readonly #lives: Life[] = []
  readonly #living = new Set<Life>()
  /** Aborted with Found, with what broke, or by the caller. */
  readonly #stop = new AbortController()
  #looksMeanwhile = 0

  constructor(options: SoakOptions, closing: (close: () => Promise<void>) => void) {
    this.#options = options
    this.#closing = closing
  }

  async run(): Promise<Soaked> {
    const { plot, signal } = this.#options
    await withDatabase(plot.databaseUrl, addOtherTier)
    const { town, faults } = await this.#town()
    const stop = (reason: unknown) => this.#stop.abort(reason)
    signal.addEventListener('abort', () => stop(signal.reason), { once: true })
    if (signal.aborted) stop(signal.reason)
    // What is under way then has no answer to wait for.
    this.#stop.signal.addEventListener('abort', () => void town.app.close(), { once: true })
    const audit = new StandbyAudit(plot.auditUrl, {
      catalogue: await allRules(),
      policy: new Set(STORIES.flatMap(({ minor }) => minor)),
      signal: this.#stop.signal,
    })
    const progress: Progress = { figures: this.#figures, faults, looks: audit.looks }

    let reckoning: Reckoning | undefined
    let found: readonly Confirmed[] = []
    try {
      await this.#liveAndLook(town, audit, progress)
      const ended = await this.#settle(audit)
      reckoning = ended.reckoning
      found = ended.found
    } catch (error) {
      const reason = this.#stop.signal.aborted ? this.#stop.signal.reason : error
      if (reason instanceof Found) found = reason.confirmed
      else if (!signal.aborted) throw reason
    }
    return {
      ...progress,
      seconds: (performance.now() - this.#began) / 1_000,
      highestLagMs: audit.highestLagMs,
      looksMeanwhile: this.#looksMeanwhile,
      violations: await this.#told(found),
      doubts: this.#doubts(faults, audit),
      reckoning,
    }
  }

  async #town(): Promise<{ town: Town; faults: Faults }> {
    const { plot, app } = this.#options
    const standIn = await startStandIn({
      worlds: () => [...this.#living].map(({ cast }) => cast.stripe.world),
    })
    this.#closing(() => standIn.close())
    const proxy = await WireProxy.start(plot.databaseUrl)
    this.#closing(() => proxy.close())
    const process = await AppProcess.start(app, {
      ...unreachable,
      DATABASE_URL: proxy.url,
      STRIPE_SECRET_KEY: 'sk_live_of_the_soak',
      STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET,
      STRIPE_API_HOST: standIn.url,
    })
    const served = new SoakApp(process, (how) =>
      this.#stop.abort(new Found([{ text: `the app: ${how}`, userId: null }])),
    )
    this.#closing(() => served.close())
    const faults = new Faults(standIn, () => served.kill(), this.#living)
    proxy.gate = faults
    this.#began = performance.now()
    const town: Town = {
      app: served,
      webhookSecret: WEBHOOK_SECRET,
      faults,
      figures: this.#figures,
      signal: this.#stop.signal,
      began: this.#began,
    }
    return { town, faults }
  }

  /** Resolves when everybody has lived, and all that was sent was taken. */
  async #liveAndLook(town: Town, audit: StandbyAudit, progress: Progress): Promise<void> {
    const { signal } = this.#stop
    const goesOn = () => this.#options.goesOn(progress)
    let isOver = false
    const lived = Promise.all(
      Array.from({ length: CROWD }, async () => {
        while (goesOn() && !signal.aborted) await this.#live(town, goesOn)
      }),
    )
      .catch((error: unknown) => {
        const never = error instanceof NeverTaken
        this.#stop.abort(never ? new Found([{ text: error.message, userId: error.life.userId }]) : error)
      })
      .finally(() => {
        isOver = true
      })
    const looked = (async () => {
      while (!isOver && !signal.aborted) {
        const before = this.#figures.deliveries
        const confirmed = await audit.look()
        if (this.#figures.deliveries > before) this.#looksMeanwhile++
        if (confirmed.length > 0) this.#stop.abort(new Found(confirmed))
      }
    })().catch((error: unknown) => this.#stop.abort(error))
    await Promise.all([lived, looked])
    signal.throwIfAborted()
  }

  async #live(town: Town, goesOn: () => boolean): Promise<void> {
    const life = new Life(`soak-${this.#options.seed}-user-${this.#lives.length + 1}`, town)
    this.#lives.push(life)
    this.#living.add(life)
    this.#figures.users++
    await withDatabase(this.#options.plot.databaseUrl, async (client) => {
      const addUsers = await usersIn(client)
      await addUsers(life.cast.people.values())
    })
    await life.live(goesOn)
    this.#living.delete(life)
  }

  /** All that can be said when nothing is under way any more. */
  async #settle(audit: StandbyAudit): Promise<{ reckoning: Reckoning; found: readonly Confirmed[] }> {
    const evidence = parseEvidence(
      JSON.stringify(evidenceOf(this.#lives.map(({ cast }) => cast))),
      'what was owed in the soak',
    )
    const reckoning = reckon(entitlements(evidence).entitlements, this.#lives, await this.#ledger())
    await this.#options.plot.caughtUp()
    const confirmed = await audit.look(evidence)
    const { lost, doubled, balances } = reckoning
    return { reckoning, found: [...lost, ...doubled, ...balances, ...confirmed] }
  }

  #ledger(): Promise<Snapshot> {
    return withDatabase(this.#options.plot.databaseUrl, readLedger)
  }

  async #told(found: readonly Confirmed[]): Promise<readonly Violation[]> {
    if (found.length === 0) return []
    const { rows } = await this.#ledger()
    const told = new Set<Life>()
    return found.map(({ text, userId }) => {
      const life = this.#lives.find((one) => one.userId === userId)
      if (life === undefined || told.has(life) || told.size >= TOLD) return { text, timeline: undefined }
      told.add(life)
      const own = rows.filter((row) => row.userId === userId && row.table === 'token_usage')
      const head = `${life.name}, user ${userId}:`
      const ledger = own.map((row) => `    ${renderRow(row, () => life.name)}`)
      return { text, timeline: [head, ...life.record, '  token_usage, oldest first:', ...ledger] }
    })
  }

  #doubts(faults: Faults, audit: StandbyAudit): readonly string[] {
    const hits = Object.values(faults.hit).reduce((sum, n) => sum + n, 0)
    return [
      ...(hits === 0 ? ['no fault hit'] : []),
      ...(this.#figures.overlapped === 0 ? ['no two requests of a user overlapped'] : []),
      ...(this.#looksMeanwhile === 0 ? ['the standby was not audited while deliveries were under way'] : []),
      ...(audit.looks['could not judge'] > 0
        ? [`${audit.looks['could not judge']} audits could not judge: ${firstOf([...audit.problems])}`]
        : []),
    ]
  }
}

function firstOf(problems: readonly string[]): string {
  const more = problems.length - TOLD
  return problems.slice(0, TOLD).join('; ') + (more > 0 ? `; and ${more} more` : '')
}
