import { once } from 'node:events'
import { readMutants } from '../../fixtures/app/mutants.ts'
import { Databases } from '../../fixtures/postgres/databases.ts'
import { type Kill, type Score, scoreMutant } from '../../scenarios/engine/explore/score.ts'

export interface Order {
  readonly url: string
  readonly mutant: string
  readonly budgetMs: number
}

export type Said = { readonly playing: Omit<Kill, 'complaint'> } | { readonly score: Score }

/** A process of `mutants`: plays one of them, which may end the process or hang. */

const [order] = (await once(process, 'message')) as [Order]
const say = (said: Said) => new Promise((resolve) => process.send?.(said, resolve))
const mutant = (await readMutants()).find(({ name }) => name === order.mutant)
if (mutant === undefined) throw new Error(`no mutant ${order.mutant}`)
const databases = new Databases(order.url)
const score = await scoreMutant(mutant, {
  databases,
  budgetMs: order.budgetMs,
  playing: (playing) => void say({ playing }),
})
await say({ score })
// What a mutant has left open does not keep it alive; its database goes with the run's others.
await databases.close().catch(() => {})
process.exit(0)
