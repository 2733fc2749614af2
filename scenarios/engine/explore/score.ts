import type { Mutant } from '../../../fixtures/app/mutants.ts'
import { prepareMutant } from '../../../fixtures/app/mutants.ts'
import { withDatabase } from '../../../fixtures/postgres/connection.ts'
import type { Databases } from '../../../fixtures/postgres/databases.ts'
import { allRules } from '../outcome.ts'
import { IN_ORDER, type Plan, printPlan, TWICE } from '../plan.ts'
import { STORIES } from '../stories.ts'
import type { Story } from '../story.ts'
import { Arena, type Run } from './arena.ts'
import { explore } from './explore.ts'
import type { Kind } from './kinds.ts'

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
 * Plays the suite against a mutant, cheapest first: each story in order, each with everything twice, then every plan,
 * until something is not as told. The audit has until then, and all stories in order and twice, to see it.
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
  const database = await databases.create('unified')
  try {
    if (sql !== undefined) {
      await withDatabase(database.url, async (client) => {
        await client.query('begin')
        await client.query(sql)
        await client.query('commit')
      })
    }
    const arena = await Arena.open(database.url, appDirectory)
    try {
      return await play(arena, budgetMs, playing)
    } finally {
      await arena.close()
    }
  } finally {
    await database.drop()
    await remove()
  }
}

async function play(
  arena: Arena,
  budgetMs: number,
  playing: (what: Omit<Kill, 'complaint'>) => void,
): Promise<Score> {
  const alone = new Set(
    (await allRules()).invariants.filter(({ needsEvidence }) => !needsEvidence).map(({ id }) => id),
  )
  const until = performance.now() + budgetMs
  const red = new Set<string>()
  let killed: Kill | undefined
  let runs = 0
  const seen = (story: Story, plan: Plan, run: Run): void => {
    runs++
    for (const id of run.red) if (!story.minor.includes(id)) red.add(id)
    const [complaint] = run.complaints
    if (complaint !== undefined) killed ??= { story: story.name, plan: printPlan(plan), complaint }
  }
  const installed = await arena.redAsInstalled()
  for (const id of installed) red.add(id)
  if (installed.length > 0) {
    killed = { story: 'any', plan: 'as installed', complaint: `red, not declared: ${installed.join(', ')}` }
  }
  const cheapest = STORIES.toSorted((a, b) => a.steps.length - b.steps.length)
  for (const plan of [IN_ORDER, TWICE]) {
    for (const story of cheapest) {
      if ((killed !== undefined && red.size > 0) || performance.now() > until) break
      playing({ story: story.name, plan: printPlan(plan) })
      seen(story, plan, await arena.run(story, plan))
    }
  }
  const groups: readonly (readonly [readonly Story[], readonly Kind[]])[] = [
    [cheapest, ['shape']],
    ...cheapest.map((story) => [[story], ['overlap', 'fault', 'late']] as const),
    [cheapest, ['redelivery', 'order', 'stripe']],
  ]
  for (const [stories, kinds] of groups) {
    if (killed !== undefined || performance.now() > until) break
    await explore(arena, {
      stories,
      kinds,
      shard: { part: 1, of: 1 },
      preemptions: 1,
      until,
      isEnough: () => killed !== undefined,
      onBegin: (story, plan) => playing({ story: story.name, plan: printPlan(plan) }),
      onRun: (_, run) => seen(run.performance.story, run.performance.plan, run),
    })
  }
  const audit = [...red].sort()
  return { killed, audit, auditAlone: audit.filter((id) => alone.has(id)), runs }
}
