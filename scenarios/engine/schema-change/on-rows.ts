import type { Databases, Template } from '../../../fixtures/postgres/databases.ts'
import { applySchema, SchemaError } from '../../../fixtures/schema/apply.ts'
import { type Installed, rulesFor } from '../given-schema.ts'
import type { EvidenceText } from '../healthy.ts'
import { HealthyRowRefused, healthyOn } from '../healthy-rows.ts'
import { healthyDatabase, judgeHealthy, redOf } from '../kill-matrix.ts'
import { killMatrixOn, type MatrixOn } from '../matrix-on.ts'
import { sayFailure } from './apply-change.ts'
import type { Change } from './change.ts'
import { onClone } from './clone.ts'
import type { Blame } from './difference.ts'
import { brokenBodies, executeAll } from './execute.ts'
import type { Facts } from './facts.ts'
import type { Finding } from './finding.ts'
import type { Inquiry } from './inquiry.ts'

/** The schema before the change and after it. */
export interface Sides {
  readonly old: Template<Installed>
  readonly template: Template<Installed>
  readonly facts: { readonly before: Facts; readonly after: Facts }
  readonly blame: Blame
}

/** What is judged on the rows of a healthy ledger: bodies of functions, and what the invariants see. */
export async function compareOnRows(
  databases: Databases,
  inquiry: Inquiry & { readonly change: Change },
  { old, template, facts, blame }: Sides,
): Promise<{ findings: readonly Finding[]; unjudged: readonly string[]; done: readonly string[] }> {
  const matrixBefore = await matrixOn(databases, old, inquiry)
  if ('refused' in matrixBefore) {
    return {
      findings: [],
      unjudged: [`functions and breaks: before the change ${matrixBefore.refused}`],
      done: [],
    }
  }
  const migrated = await migrateRows(databases, { old, template }, inquiry, matrixBefore.red)
  const matrixAfter = await matrixOn(databases, template, inquiry)
  if ('refused' in matrixAfter) {
    return { findings: [...migrated, { level: 'harm', what: matrixAfter.refused }], unjudged: [], done: [] }
  }
  const failed = {
    before: await executeOn(databases, old, facts.before),
    after: await executeOn(databases, template, facts.after),
  }
  const findings = [
    ...migrated,
    ...brokenBodies(failed.before, failed.after, blame),
    ...compareMatrices(matrixBefore, matrixAfter),
  ]
  return {
    // The rows that the change has met, and those that were put in afterwards, may tell the same.
    findings: [...new Map(findings.map((finding) => [finding.what, finding])).values()],
    unjudged: [],
    done: [
      `breaks applied: ${matrixBefore.kills.length} before, ${matrixAfter.kills.length} after`,
      `functions executed: ${executable(facts.before)} before, ${executable(facts.after)} after`,
    ],
  }
}

const executable = ({ functions }: Facts) =>
  [...functions.values()].filter(({ isTrigger }) => !isTrigger).length

async function matrixOn(
  databases: Databases,
  template: Template<Installed>,
  { catalogue, breaks }: Inquiry,
): Promise<MatrixOn | { readonly refused: string }> {
  return killMatrixOn(databases, template, { catalogue, breaks }).catch((error: unknown) => {
    if (error instanceof HealthyRowRefused) return { refused: error.message }
    throw error
  })
}

async function executeOn(
  databases: Databases,
  template: Template<Installed>,
  { functions }: Facts,
): Promise<ReadonlyMap<string, string>> {
  const filled = await filledWithRows(databases, template)
  return onClone(databases, filled, (url) => executeAll(url, functions.values()))
}

async function filledWithRows(
  databases: Databases,
  template: Template<Installed>,
): Promise<Template<EvidenceText>> {
  return healthyOn(databases, template, await healthyDatabase(databases, template.notes.stage))
}

/** What becomes of rows that are there when the change comes: it fails on them, or leaves them red. */
async function migrateRows(
  databases: Databases,
  { old, template }: Pick<Sides, 'old' | 'template'>,
  { catalogue, change }: Inquiry & { readonly change: Change },
  redBefore: readonly string[],
): Promise<Finding[]> {
  const filled = await filledWithRows(databases, old)
  return onClone(databases, filled, async (url) => {
    try {
      await applySchema(url, change.added)
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error
      const { file, line } = error
      return [
        {
          level: 'harm',
          what: `it fails on the rows of a healthy ledger: ${sayFailure(error)}`,
          where: { file, line },
        },
      ]
    }
    const rules = await rulesFor(catalogue, url, template.notes)
    const red = redOf(await judgeHealthy(url, rules.catalogue, filled.notes))
    return red.filter((id) => !redBefore.includes(id)).map(redOnHealthy)
  })
}

const redOnHealthy = (id: string): Finding => ({
  level: 'harm',
  what: `invariant turned red on the rows of a healthy ledger: ${id}`,
})

/** What the audit saw before the change and no longer sees, and what it finds in a ledger that is well. */
function compareMatrices(before: MatrixOn, after: MatrixOn): Finding[] {
  const blind = after.kills.flatMap((kill): Finding[] => {
    const old = before.kills.find((one) => one.break.id === kill.break.id && one.stage === kill.stage)
    const lost = (old?.red ?? []).filter((id) => !kill.red.includes(id) && !after.red.includes(id))
    // A fault that is no longer possible, or that is committed by a call that is gone, hides nothing.
    if (lost.length === 0 || !kill.applied) return []
    return [
      {
        level: 'harm',
        what: `the audit no longer sees this fault: ${kill.break.title} (${kill.break.id}; ${lost.join(', ')} stays green)`,
      },
    ]
  })
  return [
    ...after.red.filter((id) => !before.red.includes(id)).map(redOnHealthy),
    ...before.red
      .filter((id) => !after.red.includes(id) && after.catalogue.invariants.some((rule) => rule.id === id))
      .map(
        (id): Finding => ({
          level: 'better',
          what: `invariant turned green on the rows of a healthy ledger: ${id}`,
        }),
      ),
    ...blind,
  ]
}
