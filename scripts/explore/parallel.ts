import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { Measured } from '../../scenarios/engine/explore/arena.ts'
import {
  type Explored,
  explore,
  type PlayedTask,
  type Player,
} from '../../scenarios/engine/explore/explore.ts'
import { type Kind, sampledOrders } from '../../scenarios/engine/explore/kinds.ts'
import { inTurns, tasksOf } from '../../scenarios/engine/explore/tasks.ts'
import { type Plan, printPlan } from '../../scenarios/engine/plan.ts'
import type { Story } from '../../scenarios/engine/story.ts'

/** Where a worker plays. */
export interface Ground {
  readonly url: string
  readonly app: 'repaired' | 'as-found'
  readonly ownProcess: boolean
}

export interface Order extends Ground {
  readonly stories: readonly Story[]
  readonly kinds: readonly Kind[]
  /** Plan n belongs to one part: K of N. */
  readonly shard: { readonly part: number; readonly of: number }
  /** Undefined: to the end. */
  readonly budgetMs: number | undefined
}

/** What a worker is asked, and what it answers. */
export type Ask =
  | { readonly do: 'begin' }
  | { readonly do: 'measure'; readonly story: string }
  | { readonly do: 'play'; readonly story: string; readonly plan: Plan }
export type Answer =
  | { readonly red: readonly string[] }
  | { readonly anatomy: readonly Measured[] }
  | (Omit<PlayedTask<never>, 'result'> & { readonly failure: Failure | undefined })
  | { readonly problem: string }

export interface Failure {
  readonly text: string
  /** Ids of the invariants that were red. */
  readonly red: readonly string[]
  readonly timeline: string
  /** Plays it again. */
  readonly line: string
}

export interface Found extends Explored {
  /** Which orders were not all wanted, a line each. */
  readonly sampled: readonly string[]
  readonly failed: readonly Failure[]
}

/**
 * Explores in several processes, each with a database and an app of its own.
 *
 * @throws Error where a worker ends, or can't play: what it was told, and why
 */
export async function exploreInParallel({
  workers: wanted,
  onProgress,
  stories,
  kinds,
  shard,
  budgetMs,
  signal,
  ...ground
}: Order & {
  readonly workers: number
  /** Aborted: nothing new is begun. */
  readonly signal: AbortSignal
  readonly onProgress: (state: { runs: number; left: number; failed: number }) => void
}): Promise<Found> {
  const until = budgetMs === undefined ? undefined : performance.now() + budgetMs
  const workers = Array.from({ length: wanted }, () => new Worker(ground))
  try {
    for (const { red } of await Promise.all(workers.map((worker) => worker.ask<'red'>({ do: 'begin' })))) {
      if (red.length > 0) throw new Error(`the database is red before anything is played: ${red.join(', ')}`)
    }
    const measured = await measure(workers, stories, signal)
    const tasks = signal.aborted
      ? []
      : inTurns(tasksOf(measured, kinds)).filter((_, index) => index % shard.of === shard.part - 1)
    const failed: Failure[] = []
    let runs = 0
    const explored = await explore(workers.map(playerOf), tasks, {
      ...(until !== undefined && { until }),
      isEnough: () => signal.aborted,
      onRun: (_, failure, left) => {
        if (failure !== undefined) failed.push(failure)
        onProgress({ runs: ++runs, left, failed: failed.length })
      },
    })
    return { ...explored, failed, sampled: kinds.includes('order') ? measured.flatMap(saySampled) : [] }
  } finally {
    await Promise.all(workers.map((worker) => worker.close()))
  }
}

const playerOf =
  (worker: Worker): Player<Failure | undefined> =>
  async ({ story, plan }) => {
    const { failure, ...rest } = await worker.ask<'failure'>({ do: 'play', story: story.name, plan })
    return { result: failure, ...rest }
  }

const saySampled = ([{ name }, anatomy]: readonly [Story, readonly Measured[]]): string[] =>
  sampledOrders(anatomy).map(
    ({ step, played, of }) =>
      `${name}, step ${step}: a sample of ${played.toLocaleString('en-US')} of its ${of.toLocaleString('en-US')} orders`,
  )

/** Each story by whichever worker is free. */
async function measure(
  workers: readonly Worker[],
  stories: readonly Story[],
  signal: AbortSignal,
): Promise<readonly (readonly [Story, readonly Measured[]])[]> {
  const anatomies = new Map<Story, readonly Measured[]>()
  const waiting = [...stories]
  await Promise.all(
    workers.map(async (worker) => {
      for (let story = waiting.shift(); story !== undefined && !signal.aborted; story = waiting.shift()) {
        const { anatomy } = await worker.ask<'anatomy'>({ do: 'measure', story: story.name })
        anatomies.set(story, anatomy)
      }
    }),
  )
  return stories.map((story) => [story, anatomies.get(story) ?? []])
}

/** A process that answers one question after the other. */
class Worker {
  readonly #process: ChildProcess
  readonly #exit: Promise<string>

  constructor(ground: Ground) {
    this.#process = fork(join(import.meta.dirname, 'worker.ts'), {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      // Ctrl-C is meant for the command, which says what is to be done, also to one that has only begun to load.
      detached: true,
    })
    let wrong = ''
    this.#process.stderr?.on('data', (chunk) => {
      wrong = `${wrong}${chunk}`.slice(-4_000)
    })
    this.#exit = new Promise((resolve) => {
      this.#process.once('error', (error) => resolve(`a worker could not be started: ${error.message}`))
      this.#process.once('exit', (code, signal) =>
        resolve(`a worker ended with ${code ?? signal}: ${wrong.trim()}`),
      )
    })
    this.#process.send(ground)
  }

  async ask<Key extends string>(ask: Ask): Promise<Extract<Answer, { [key in Key]?: unknown }>> {
    const answered = new Promise<Answer>((resolve) => {
      this.#process.once('message', (answer) => resolve(answer as Answer))
    })
    this.#process.send(ask)
    const answer = await Promise.race([answered, this.#exit])
    const problem = typeof answer === 'string' ? answer : 'problem' in answer ? answer.problem : undefined
    if (problem !== undefined) throw new Error(`${sayAsk(ask)}: ${problem}`)
    return answer as Extract<Answer, { [key in Key]?: unknown }>
  }

  /** Resolves when it has ended, and its database is gone. */
  async close(): Promise<void> {
    if (this.#process.connected) this.#process.disconnect()
    await this.#exit
  }
}

function sayAsk(ask: Ask): string {
  switch (ask.do) {
    case 'begin':
      return 'before anything was played'
    case 'measure':
      return `${ask.story}, in order`
    case 'play':
      return `${ask.story}, ${printPlan(ask.plan)}`
  }
}
