import type { Invariant } from '../../../audits/catalogue.ts'
import type { Mutant } from '../../../fixtures/app/mutants.ts'
import { prepareMutant } from '../../../fixtures/app/mutants.ts'
import { withDatabase } from '../../../fixtures/postgres/connection.ts'
import type { Databases } from '../../../fixtures/postgres/databases.ts'
import { allRules } from '../outcome.ts'
import { needsOwnProcess, printPlan, TWICE } from '../plan.ts'
import type { Performance } from '../play.ts'
import { STORIES } from '../stories.ts'
import type { Story } from '../story.ts'
import { Arena, type Measured, type Run } from './arena.ts'
import { explore, playerIn } from './explore.ts'
import { KINDS, KINDS_OF_PROCESSES, type Kind } from './kinds.ts'
import { tasksOf } from './tasks.ts'

/** The part of its time that a mutant has in this process; then it has one of its own. */
const HERE = 0.75

/** How often an overlap takes the turn from one who could go on. */
const PREEMPTIONS = 1

/** What an honest story, or the audit, sees of a mutant. */
export interface Score {
  /** Undefined: it survived. */
  readonly killed?: Kill | undefined
  /** The rules that are red in one of these runs, by themselves: without the stories' own expectations. */
  readonly audit: readonly string[]
  /** Those of them that need no evidence. */
  readonly auditAlone: readonly string[]
  readonly runs: number
  /** Plans that were not begun when its time was up; undefined: none was, not all stories were told yet. */
  readonly left: number | undefined
}

export interface Kill {
  readonly story: string
  readonly plan: string
  readonly complaint: string
}

/**
 * Plays the suite against a mutant, cheapest first: each story in order, each with everything twice, then every plan, at
 * last those that kill and restart its process, until something is not as told. The audit has until then, and all stories
 * in order and twice, to see it.
 *
 * @param isAlone from the start it runs in a process of its own: one that ends the process that it runs in
 * @param signal aborted: no run is begun any more, and what was made for it is removed
 */
export async function scoreMutant(
  mutant: Mutant,
  {
    databases,
    budgetMs,
    isAlone,
    signal,
  }: {
    databases: Databases
    budgetMs: number
    isAlone: boolean
    signal: AbortSignal
  },
): Promise<Score> {
  const { appDirectory, sql, remove } = await prepareMutant(mutant)
  const began = performance.now()
  const score = new Scoring((await allRules()).invariants, signal)
  const inArena = async (app: string, ownProcess: boolean, work: (arena: Arena) => Promise<void>) => {
    const database = await databases.create('unified')
    try {
      if (app !== UNMUTATED)
        await withDatabase(database.url, (client) => client.query(`begin; ${sql ?? ''}; commit`))
      const arena = await Arena.open(database.url, app, { ownProcess })
      try {
        await work(arena)
      } finally {
        await arena.close()
      }
    } finally {
      await database.drop()
    }
  }
  try {
    if (isAlone)
      await inArena(appDirectory, true, (arena) => score.play(arena, QUICK_KINDS, began + budgetMs))
    else await inArena(appDirectory, false, (arena) => score.play(arena, KINDS_HERE, began + HERE * budgetMs))
    if (!score.isKilled && !isAlone && !signal.aborted)
      await inArena(appDirectory, true, (arena) => score.explore(arena, KINDS_OF_PROCESSES, began + budgetMs))
    const { killer } = score
    if (killer !== undefined && killer.plan.length > 0)
      await inArena(UNMUTATED, needsOwnProcess(killer.plan), (arena) => checkUnmutated(arena, killer))
    return score.score()
  } finally {
    await remove()
  }
}

const UNMUTATED = 'repaired'

/** Throws where the app itself is not as told: then it is not the defect that was seen. */
async function checkUnmutated(arena: Arena, { story, plan }: Performance): Promise<void> {
  const { complaints } = await arena.run(story, plan)
  if (complaints.length > 0)
    throw new Error(
      `the app without it is not as told either, ${story.name}, ${printPlan(plan)}: ${complaints[0]}`,
    )
}

/** A call that hangs takes half a second each, and shows what one that is cut shows. */
const QUICK_KINDS = KINDS.filter((kind) => kind !== 'hangs')
const KINDS_HERE = QUICK_KINDS.filter((kind) => !KINDS_OF_PROCESSES.includes(kind))

const CHEAPEST_FIRST = STORIES.toSorted((a, b) => a.steps.length - b.steps.length)

/** What was seen of a mutant so far. */
class Scoring {
  readonly #rules: readonly Invariant[]
  readonly #signal: AbortSignal
  readonly #red = new Set<string>()
  #killed: Kill | undefined
  /** The run that killed it; undefined: none did, or it is red as installed. */
  killer: Performance | undefined
  #runs = 0
  readonly #measured: (readonly [Story, readonly Measured[]])[] = []
  #left: number | undefined

  constructor(rules: readonly Invariant[], signal: AbortSignal) {
    this.#rules = rules
    this.#signal = signal
  }

  get isKilled(): boolean {
    return this.#killed !== undefined
  }

  async play(arena: Arena, kinds: readonly Kind[], until: number): Promise<void> {
    const installed = await arena.redAsInstalled()
    for (const id of installed) this.#red.add(id)
    if (installed.length > 0) {
      const complaint = `red, not declared: ${installed.join(', ')}`
      this.#killed = { story: 'any', plan: 'as installed', complaint }
    }
    const isEnough = () =>
      (this.isKilled && this.#red.size > 0) || performance.now() > until || this.#signal.aborted
    for (const story of CHEAPEST_FIRST) {
      if (isEnough()) break
      const { run, measured } = await arena.anatomy(story)
      this.#see(story, run)
      this.#measured.push([story, measured])
    }
    if (!this.isKilled) return this.explore(arena, kinds, until)
    // To be sent twice is among the plans; the audit is shown it of a mutant that is killed.
    for (const story of CHEAPEST_FIRST) {
      if (isEnough()) break
      this.#see(story, await arena.run(story, TWICE))
    }
  }

  async explore(arena: Arena, kinds: readonly Kind[], until: number): Promise<void> {
    if (this.#measured.length < STORIES.length) return
    const play = playerIn(arena, PREEMPTIONS)
    // An overlap of two short requests shows what one of long deliveries shows, after fewer turns.
    const shortestFirst = this.#measured.toSorted(([, a], [, b]) => statementsOf(a) - statementsOf(b))
    const { left } = await explore([play], tasksOf(shortestFirst, kinds).flat(), {
      until,
      isEnough: () => this.isKilled || this.#signal.aborted,
      onRun: ({ story }, run) => this.#see(story, run),
    })
    this.#left = (this.#left ?? 0) + left
  }

  score(): Score {
    const needsNone = new Set(this.#rules.filter(({ needsEvidence }) => !needsEvidence).map(({ id }) => id))
    const audit = [...this.#red].sort()
    return {
      killed: this.#killed,
      audit,
      auditAlone: audit.filter((id) => needsNone.has(id)),
      runs: this.#runs,
      left: this.#left,
    }
  }

  #see(story: Story, run: Run): void {
    this.#runs++
    for (const id of run.undeclared) this.#red.add(id)
    const [complaint] = run.complaints
    if (complaint !== undefined && !this.isKilled) {
      this.killer = run.performance
      this.#killed = { story: story.name, plan: printPlan(run.performance.plan), complaint }
    }
  }
}

const statementsOf = (anatomy: readonly Measured[]): number =>
  anatomy.reduce((sum, { statements }) => sum + statements, 0)
