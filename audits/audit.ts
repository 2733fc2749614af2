import { randomBytes, randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { type Catalogue, type Invariant, pick, SEVERITIES, type Severity } from './catalogue.ts'
import { type Evidence, entitlements } from './evidence.ts'
import type { History } from './history.ts'
import { type Judged, judgeTarget, type Run } from './judge-target.ts'
import { relationsOf } from './relations.ts'
import type { Report } from './reports/report.ts'
import { twinsOf } from './same-server.ts'
import { type Outcome, Session, type Surroundings } from './session.ts'
import type { Target } from './targets.ts'
import { LIMITS } from './transaction.ts'
import { verdictOf } from './verdict.ts'
import { wait } from './wait.ts'
import type { Waivers } from './waivers.ts'

export interface AuditOptions {
  readonly targets: readonly Target[]
  readonly catalogue: Catalogue
  /** Without it, the rules that need it are listed and not judged. */
  readonly evidence?: Evidence | undefined
  /** Ids of the rules to run; none: all. */
  readonly only?: readonly string[]
  /** false: nothing is given time to settle, as in a scenario, where everything has happened. */
  readonly settle?: boolean
  /** The least severity whose violations make the verdict. */
  readonly failOn?: Severity
  /** After this many ms the rules with `settle` that found something are run again. */
  readonly confirmAfterMs?: number
  /** What a standby shows may be so old, in ms. */
  readonly maxStalenessMs?: number
  /** The whole run may take so long, in ms; what has not begun by then is not run. */
  readonly budgetMs?: number
  /** Run every select, whatever the screens say. */
  readonly full?: boolean
  readonly history?: History | undefined
  readonly waivers?: Waivers | undefined
  /** A fire drill: adds a made-up violation to each target's report, or its resolution. */
  readonly drill?: 'raised' | 'resolved' | undefined
  readonly onProgress?: (progress: Progress) => void
  /** Aborted: connections are cut, and the audit ends with the signal's reason. */
  readonly signal?: AbortSignal
  readonly surroundings?: Surroundings
}

/** A rule that is about to be judged. */
export interface Progress {
  readonly target: string
  readonly rule: string
  /** Rules of this target that are judged. */
  readonly done: number
  readonly of: number
  readonly elapsedMs: number
  readonly budgetMs: number
}

const MINUTE_MS = 60_000

export const DEFAULTS = {
  confirmAfterMs: 30_000,
  maxStalenessMs: 15 * MINUTE_MS,
  budgetMs: 10 * MINUTE_MS,
} as const

const SURROUNDINGS: Surroundings = {
  limits: LIMITS,
  now: Date.now,
  random: Math.random,
  wait,
}

/**
 * Runs the rules on every target, side by side; on one target, one after the other, critical first. A target, or a
 * rule, that can't be judged never hides another: what could not be judged is in the report, and in its verdict.
 *
 * @throws UsageError for an unknown id, an empty catalogue, or evidence that can't be judged
 * @throws the signal's reason when it is aborted
 */
export async function audit(options: AuditOptions): Promise<Report> {
  const { targets, catalogue, evidence, only = [], failOn = 'major', history, drill } = options
  const surroundings = options.surroundings ?? SURROUNDINGS
  const budgetMs = options.budgetMs ?? DEFAULTS.budgetMs
  const began = surroundings.now()
  const started = new Date(began)
  const runId = `${started.toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z-${randomUUID().slice(0, 8)}`
  const signal = options.signal ?? new AbortController().signal
  // Each connection listens to it, and there may be many targets.
  setMaxListeners(0, signal)
  const rules = inOrder(pick(catalogue, only))
  const relations = await relationsOf(rules)
  const run: Run = {
    rules,
    relations,
    evidence: evidence === undefined ? '' : JSON.stringify(entitlements(evidence)),
    confirmAfterMs: (options.settle ?? true) ? (options.confirmAfterMs ?? DEFAULTS.confirmAfterMs) : null,
    maxStalenessMs: options.maxStalenessMs ?? DEFAULTS.maxStalenessMs,
    full: options.full ?? false,
    history,
    waivers: options.waivers,
    drill,
    onProgress: options.onProgress ?? (() => {}),
    startedAt: started.toISOString(),
    began,
    budgetMs,
    seed: randomSeed(),
    surroundings,
    signal,
  }
  const sessions = targets.map(
    (target) => new Session(target, runId.slice(-8), surroundings, { signal, deadline: began + budgetMs }),
  )
  let judged: readonly Judged[]
  try {
    const looked = await all(
      sessions.map(async (session) => ({
        session,
        look: await session.look([...relations.keys()]).catch(broken(signal)),
      })),
    )
    const twins = twinsOf(looked.map(({ session, look }) => ({ name: session.target.name, look })))
    judged = await all(
      looked.map(({ session, look }) =>
        judgeTarget(session, look, twins.get(session.target.name), run).catch((error) =>
          judgeTarget(session, broken(signal)(error), undefined, run),
        ),
      ),
    )
  } finally {
    await Promise.all(sessions.map((session) => session.close()))
  }

  const invariants = judged.flatMap(({ report }) => report.invariants)
  const planned = judged.reduce((all, target) => all + target.planned, 0)
  if (invariants.length !== planned) {
    throw new Error(
      `${planned} rules were planned and ${invariants.length} are in the report: this is a bug of the audit`,
    )
  }
  const problems = judged.filter(({ report }) => report.problem !== null).length
  const moments = judged.flatMap(({ report }) => report.as_of ?? []).sort()
  return {
    version: 2,
    run_id: runId,
    started_at: run.startedAt,
    finished_at: new Date(surroundings.now()).toISOString(),
    as_of: moments[0] ?? null,
    ...verdictOf(invariants, problems, failOn),
    fail_on: failOn,
    evidence: evidence === undefined ? null : [...new Set(evidence.covers.map(({ kind }) => kind))],
    planned,
    executed: invariants.filter(({ status }) => status !== 'not_run').length,
    retried: judged.reduce((sum, target) => sum + target.retried, 0),
    history: history === undefined ? 'none' : history.untold ? 'untold' : 'kept',
    drill: drill !== undefined,
    targets: judged.map(({ report }) => report),
  }
}

/** All of them, or the first failure: when all have ended, so that none goes on unseen. */
async function all<T>(promises: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(promises)
  return Promise.all(promises)
}

/** What nobody has foreseen at one target is for that target alone to tell. */
function broken(signal: AbortSignal): (error: unknown) => Outcome<never> {
  return (error) => {
    signal.throwIfAborted()
    const text = error instanceof Error ? error.message : String(error)
    return { attempts: 1, failure: `the audit itself broke: ${text}: this is a bug of the audit`, lost: true }
  }
}

/** Critical first: what a lost connection or an interruption leaves out is the least. */
function inOrder(rules: readonly Invariant[]): readonly Invariant[] {
  return rules.toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity))
}

/** A signed 64-bit integer, which is what Postgres' hash functions are seeded with. */
function randomSeed(): string {
  return String(randomBytes(8).readBigInt64BE())
}
