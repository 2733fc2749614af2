import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { Kind } from '../../scenarios/engine/explore/kinds.ts'

export interface Order {
  readonly url: string
  readonly app: 'repaired' | 'as-found'
  readonly ownProcess: boolean
  readonly stories: readonly string[]
  readonly kinds: readonly Kind[]
  readonly shard: { readonly part: number; readonly of: number }
  /** Undefined: to the end. */
  readonly budgetMs: number | undefined
}

/** What a worker says: after each run, and at its end. */
export type Said =
  | { readonly run: Kind; readonly left: number; readonly failed?: Failure }
  | { readonly left: number; readonly hasGivenUp: boolean }

export interface Failure {
  readonly text: string
  readonly line: string
}

export interface Found {
  readonly runs: ReadonlyMap<Kind, number>
  readonly left: number
  readonly failed: readonly Failure[]
  /** Why some of it could not be run, a line each. */
  readonly problems: readonly string[]
}

/** Explores in several processes, each with a database and an app of its own, and adds up what they find. */
export async function exploreInParallel({
  workers,
  onProgress,
  ...order
}: Order & {
  readonly workers: number
  readonly onProgress: (state: { runs: number; left: number; failed: number }) => void
}): Promise<Found> {
  const runs = new Map<Kind, number>()
  const left = new Map<number, number>()
  const failed: Failure[] = []
  const problems: string[] = []
  const { part, of } = order.shard
  const leftOver = () => [...left.values()].reduce((sum, n) => sum + n, 0)
  await Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      // Parts of a part: plan n belongs to one of them.
      const shard = { part: part + of * worker, of: of * workers }
      const ended = await work({ ...order, shard }, (said) => {
        left.set(worker, said.left)
        if ('hasGivenUp' in said) {
          if (said.hasGivenUp)
            problems.push(`the app gave no answer again and again: ${said.left} plans not begun`)
          return
        }
        runs.set(said.run, (runs.get(said.run) ?? 0) + 1)
        if (said.failed) failed.push(said.failed)
        const all = [...runs.values()].reduce((sum, n) => sum + n, 0)
        onProgress({ runs: all, left: leftOver(), failed: failed.length })
      })
      if (ended !== undefined) problems.push(ended)
    }),
  )
  return { runs, left: leftOver(), failed, problems }
}

/** Undefined: it came to its end. */
function work(order: Order, hear: (said: Said) => void): Promise<string | undefined> {
  return new Promise((resolve) => {
    const worker = fork(join(import.meta.dirname, 'worker.ts'), {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    })
    let wrong = ''
    worker.stderr?.on('data', (chunk) => {
      wrong += chunk
    })
    worker.on('message', (said) => hear(said as Said))
    worker.once('error', (error) => resolve(`a worker could not be started: ${error.message}`))
    worker.once('exit', (code, signal) => {
      resolve(code === 0 ? undefined : `a worker ended with ${code ?? signal}: ${wrong.trim()}`)
    })
    worker.send(order)
  })
}
