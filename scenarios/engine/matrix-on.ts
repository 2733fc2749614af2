import type { Break, Catalogue } from '../../audits/catalogue.ts'
import type { Databases, Template } from '../../fixtures/postgres/databases.ts'
import { type Installed, type Left, rulesFor } from './given-schema.ts'
import { healthyOn } from './healthy-rows.ts'
import { applyBreak, healthyDatabase, judgeHealthy, type Kill, redOf } from './kill-matrix.ts'

/** The kill matrix on somebody's schema. */
export interface MatrixOn {
  /** The rules that have meaning there. */
  readonly catalogue: Catalogue
  readonly left: readonly Left[]
  /** Rules that are red on the healthy rows, nothing being broken. */
  readonly red: readonly string[]
  readonly kills: readonly Kill[]
}

/**
 * Puts the healthy rows into somebody's schema, and applies every break of its stage. What is red before anything is
 * broken is no kill.
 *
 * Throws HealthyRowRefused.
 */
export async function killMatrixOn(
  databases: Databases,
  given: Template<Installed>,
  { catalogue: all, breaks }: { catalogue: Catalogue; breaks: readonly Break[] },
): Promise<MatrixOn> {
  const { stage } = given.notes
  const template = await healthyOn(databases, given, await healthyDatabase(databases, stage))
  const database = await databases.createFrom(template)
  const { catalogue, left } = await rulesFor(all, database.url, given.notes)
  const red = redOf(await judgeHealthy(database.url, catalogue, template.notes))
  await database.drop()

  const known = new Set(catalogue.invariants.map(({ id }) => id))
  const kills: Kill[] = []
  // What was true of the one ledger with its legacy table is true of it without.
  const from = stage === 'retired' ? 'unify' : stage
  for (const fault of breaks.filter(({ stages }) => stages.includes(from))) {
    const turnsRed = fault.turnsRed.filter((id) => known.has(id))
    if (turnsRed.length === 0) continue
    const here: Break = { ...fault, stages: [stage], turnsRed: [...new Set([...turnsRed, ...red])] }
    for (const kill of await applyBreak(here, { databases, healthy: { [stage]: template }, catalogue })) {
      kills.push({ ...kill, red: kill.red.filter((id) => !red.includes(id)) })
    }
  }
  return { catalogue, left, red, kills }
}
