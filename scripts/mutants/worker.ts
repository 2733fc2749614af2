import { once } from 'node:events'
import { mutantNamed } from '../../fixtures/app/mutants.ts'
import { Databases } from '../../fixtures/postgres/databases.ts'
import { type Score, scoreMutant } from '../../scenarios/engine/explore/score.ts'

export interface Order {
  readonly url: string
  readonly mutant: string
  readonly budgetMs: number
  /** It has ended the process that played it. */
  readonly isAlone: boolean
}

export type Said =
  | { readonly score: Score }
  /** It can't be judged: the trouble is ours. */
  | { readonly problem: string }

/** A process of `mutants`: plays one of them, which may end the process or hang. */

const interruption = new AbortController()
process.on('SIGTERM', () => interruption.abort())
// The command is gone.
process.once('disconnect', () => interruption.abort())
const [order] = (await once(process, 'message')) as [Order]
const say = (said: Said) => new Promise((resolve) => process.send?.(said, resolve))
const databases = new Databases(order.url)
try {
  const mutant = await mutantNamed(order.mutant)
  const { budgetMs, isAlone } = order
  await say({
    score: await scoreMutant(mutant, { databases, budgetMs, isAlone, signal: interruption.signal }),
  })
} catch (error) {
  await say({ problem: error instanceof Error ? error.message : String(error) })
}
// What a mutant has left open does not keep it alive; its database goes with the run's others.
await databases.close().catch(() => {})
process.exit(0)
