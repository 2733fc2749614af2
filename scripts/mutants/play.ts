import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { Mutant } from '../../fixtures/app/mutants.ts'
import type { Kill, Score } from '../../scenarios/engine/explore/score.ts'
import type { Said } from './worker.ts'

/** How long a mutant may hang beyond its budget. */
const GRACE_MS = 60_000

/** What became of a mutant; undefined: nothing can be said, for this reason. */
export type Played = { readonly mutant: Mutant } & ({ readonly score: Score } | { readonly problem: string })

/** Plays mutants, so many at a time, each in a process of its own. */
export async function playMutants(
  mutants: readonly Mutant[],
  {
    url,
    workers,
    budgetMs,
    onPlayed,
  }: { url: string; workers: number; budgetMs: number; onPlayed: (played: Played) => void },
): Promise<readonly Played[]> {
  const waiting = [...mutants]
  const all: Played[] = []
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        const played = await playOne(mutant, url, budgetMs)
        all.push(played)
        onPlayed(played)
      }
    }),
  )
  return all.toSorted((a, b) => (a.mutant.name < b.mutant.name ? -1 : 1))
}

function playOne(mutant: Mutant, url: string, budgetMs: number): Promise<Played> {
  return new Promise((resolve) => {
    const worker = fork(join(import.meta.dirname, 'worker.ts'), {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let last: Omit<Kill, 'complaint'> | undefined
    let runs = 0
    let score: Score | undefined
    let wrong = ''
    let hung = false
    const killedBy = (complaint: string): Score | undefined =>
      last && { killed: { ...last, complaint }, audit: [], auditAlone: [], runs }
    const timer = setTimeout(() => {
      hung = true
      worker.kill('SIGKILL')
    }, budgetMs + GRACE_MS)
    worker.stderr?.on('data', (chunk) => {
      wrong = `${wrong}${chunk}`.slice(-4_000)
    })
    worker.on('message', (message) => {
      const said = message as Said
      if ('score' in said) score = said.score
      else {
        last = said.playing
        runs++
      }
    })
    worker.once('error', (error) => resolve({ mutant, problem: `could not be started: ${error.message}` }))
    worker.once('exit', (code, signal) => {
      clearTimeout(timer)
      if (code !== 0 && score === undefined) {
        // In the middle of a run it was the app that ended the process. What takes too long may be a busy machine.
        if (!hung) score = killedBy(`the app's process ended: ${lastLine(wrong)}`)
        else wrong = `not at its end ${GRACE_MS / 1_000} s after its budget`
      }
      resolve(
        score ? { mutant, score } : { mutant, problem: `ended with ${code ?? signal}: ${wrong.trim()}` },
      )
    })
    worker.send({ url, mutant: mutant.name, budgetMs })
  })
}

function lastLine(text: string): string {
  const lines = text.split('\n').filter((line) => /error/i.test(line))
  return lines[0]?.trim() ?? 'it said nothing'
}
