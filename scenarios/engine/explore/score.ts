import type { Invariant } from '../../../audits/catalogue.ts'
import type { Mutant } from '../../../fixtures/app/mutants.ts'
import { prepareMutant } from '../../../fixtures/app/mutants.ts'
import { withDatabase } from '../../../fixtures/postgres/connection.ts'
import type { Databases } from '../../../fixtures/postgres/databases.ts'
import { allRules } from '../outcome.ts'
import { IN_ORDER, printPlan, TWICE } from '../plan.ts'
import { STORIES } from '../stories.ts'
import type { Story } from '../story.ts'
import { Arena, type Measured, type Run } from './arena.ts'
import { explore, type Player, playerIn, tasksOf } from './explore.ts'
import { KINDS, KINDS_OF_PROCESSES, type Kind } from './kinds.ts'

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
 * @param playing told before each run: a mutant may end the process
 */
export async function scoreMutant(
  mutant: Mutant,
  {
    databases,
    budgetMs,
    playing,
  }: { databases: Databases; budgetMs: number; playing: (what: Omit<Kill, 'complaint'>) => void },
): Promise<Score> {
  const { appDirectory, sql, remove } = await prepareMutant(mutant)
  const began = performance.now()
  const score = new Scoring((await allRules()).invariants, playing)
  const inArena = async (ownProcess: boolean, work: (arena: Arena) => Promise<void>): Promise<void> => {
    const database = await databases.create('unified')
    try {
      await withDatabase(database.url, (client) => client.query(`begin; ${sql ?? ''}; commit`))
      const arena = await Arena.open(database.url, appDirectory, { ownProcess })
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
    await inArena(false, (arena) => score.play(arena, began + HERE * budgetMs))
    if (!score.isKilled)
      await inArena(true, (arena) => score.explore(arena, KINDS_OF_PROCESSES, began + budgetMs))
    return score.score()
  } finally {
    await remove()
  }
}

/** Of an app in this process; a call that hangs takes half a second each, and shows what one that is cut shows. */
const KINDS_HERE = KINDS.filter((kind) => kind !== 'hangs' && !KINDS_OF_PROCESSES.includes(kind))

const CHEAPEST_FIRST = STORIES.toSorted((a, b) => a.steps.length - b.steps.length)

/** What was seen of a mutant so far. */
class Scoring {
  readonly #rules: readonly Invariant[]
  readonly #playing: (what: Omit<Kill, 'complaint'>) => void
  readonly #red = new Set<string>()
  #killed: Kill | undefined
  #runs = 0

  constructor(rules: readonly Invariant[], playing: (what: Omit<Kill, 'complaint'>) => void) {
    this.#rules = rules
    this.#playing = playing
  }

  get isKilled(): boolean {
    return this.#killed !== undefined
  }

  async play(arena: Arena, until: number): Promise<void> {
    const installed = await arena.redAsInstalled()
    for (const id of installed) this.#red.add(id)
    if (installed.length > 0) {
      const complaint = `red, not declared: ${installed.join(', ')}`
      this.#killed = { story: 'any', plan: 'as installed', complaint }
    }
    for (const plan of [IN_ORDER, TWICE]) {
      for (const story of CHEAPEST_FIRST) {
        if ((this.isKilled && this.#red.size > 0) || performance.now() > until) break
        this.#playing({ story: story.name, plan: printPlan(plan) })
        this.#see(story, await arena.run(story, plan))
      }
    }
    await this.explore(arena, KINDS_HERE, until)
  }

  async explore(arena: Arena, kinds: readonly Kind[], until: number): Promise<void> {
    const measured: (readonly [Story, readonly Measured[]])[] = []
    for (const story of CHEAPEST_FIRST) {
      if (this.isKilled || performance.now() > until) return
      measured.push([story, (await arena.anatomy(story)).measured])
    }
    const play = playerIn(arena, PREEMPTIONS)
    const announced: Player<Run> = async (task) => {
      this.#playing({ story: task.story.name, plan: printPlan(task.plan) })
      return play(task)
    }
    await explore([announced], tasksOf(measured, kinds), {
      until,
      isEnough: () => this.isKilled,
      onRun: ({ story }, run) => this.#see(story, run),
    })
  }

  score(): Score {
    const needsNone = new Set(this.#rules.filter(({ needsEvidence }) => !needsEvidence).map(({ id }) => id))
    const audit = [...this.#red].sort()
    return {
      killed: this.#killed,
      audit,
      auditAlone: audit.filter((id) => needsNone.has(id)),
      runs: this.#runs,
    }
  }

  #see(story: Story, run: Run): void {
    this.#runs++
    for (const id of run.red) if (!story.minor.includes(id)) this.#red.add(id)
    const [complaint] = run.complaints
    if (complaint !== undefined)
      this.#killed ??= { story: story.name, plan: printPlan(run.performance.plan), complaint }
  }
}
