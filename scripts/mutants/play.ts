import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { Mutant } from '../../fixtures/app/mutants.ts'
import type { Score } from '../../scenarios/engine/explore/score.ts'
import type { Order, Said } from './worker.ts'

/** How long a mutant may hang beyond its budget. */
const GRACE_MS = 60_000

/** How long one that is interrupted may take to remove what was made for it. */
const FAREWELL_MS = 5_000

/** What became of a mutant; undefined: nothing can be said, for this reason. */
export type Played = { readonly mutant: Mutant } & ({ readonly score: Score } | { readonly problem: string })

/** Plays mutants, so many at a time, each in a process of its own. */
export async function playMutants(
  mutants: readonly Mutant[],
  {
    url,
    workers,
    budgetMs,
    signal,
    onPlayed,
  }: {
    url: string
    workers: number
    budgetMs: number
    /** Aborted: those that are being played are given up. */
    signal: AbortSignal
    onPlayed: (played: Played) => void
  },
): Promise<readonly Played[]> {
  const waiting = [...mutants]
  const all: Played[] = []
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        const played = await playOne(mutant, { url, budgetMs, signal })
        if (signal.aborted) return
        all.push(played)
        onPlayed(played)
      }
    }),
  )
  return all.toSorted((a, b) => (a.mutant.name < b.mutant.name ? -1 : 1))
}

/** One that ends the process which plays it is played again as a process of its own: then it is told from our trouble. */
async function playOne(
  mutant: Mutant,
  { signal, ...order }: { url: string; budgetMs: number; signal: AbortSignal },
): Promise<Played> {
  const played = await playIn(mutant, { ...order, isAlone: false }, signal)
  return (
    played ??
    (await playIn(mutant, { ...order, isAlone: true }, signal)) ?? {
      mutant,
      problem: 'the process that plays it ended, and ended again',
    }
  )
}

/** Undefined: the process ended in the middle of a run. */
function playIn(
  mutant: Mutant,
  order: Omit<Order, 'mutant'>,
  signal: AbortSignal,
): Promise<Played | undefined> {
  if (signal.aborted) return Promise.resolve(undefined)
  return new Promise((resolve) => {
    const worker = fork(join(import.meta.dirname, 'worker.ts'), {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      // Ctrl-C is meant for the command.
      detached: true,
    })
    let farewell: NodeJS.Timeout | undefined
    const giveUp = () => {
      worker.kill('SIGTERM')
      farewell = setTimeout(() => worker.kill('SIGKILL'), FAREWELL_MS)
    }
    signal.addEventListener('abort', giveUp)
    const over = (played: Played | undefined) => {
      clearTimeout(timer)
      clearTimeout(farewell)
      signal.removeEventListener('abort', giveUp)
      resolve(played)
    }
    // What takes too long may be a busy machine.
    const timer = setTimeout(() => {
      over({ mutant, problem: `not at its end ${GRACE_MS / 1_000} s after its budget` })
      worker.kill('SIGKILL')
    }, order.budgetMs + GRACE_MS)
    worker.on('message', (message) => {
      const said = message as Said
      if ('score' in said) over(playedBy(mutant, said.score))
      if ('problem' in said) over({ mutant, problem: said.problem })
    })
    worker.once('error', (error) => over({ mutant, problem: `could not be started: ${error.message}` }))
    worker.once('exit', () => over(undefined))
    worker.send({ ...order, mutant: mutant.name } satisfies Order)
  })
}

function playedBy(mutant: Mutant, score: Score): Played {
  if (score.killed === undefined && score.runs === 0)
    return { mutant, problem: 'its time was up before anything was played: give it more by --budget' }
  return { mutant, score }
}
