import { Client } from 'pg'
import type { Break, Catalogue } from '../../../audits/catalogue.ts'
import type { Databases, Template } from '../../../fixtures/postgres/databases.ts'
import { applySchema, SchemaError } from '../../../fixtures/schema/apply.ts'
import type { Schema, SchemaFile } from '../../../fixtures/schema/schema.ts'
import { describeInstalled, type Installed, templateOf, UnclearStageError } from '../given-schema.ts'
import { HealthyRowRefused, healthyOn } from '../healthy-rows.ts'
import { hasHealthyDatabase, healthyDatabase } from '../kill-matrix.ts'
import { killMatrixOn, type MatrixOn } from '../matrix-on.ts'
import type { Story } from '../story.ts'
import { unmatched } from './calls.ts'
import { type Change, changeBetween } from './change.ts'
import { comparePlays } from './compare-plays.ts'
import { type Blame, flatten, opened, valuesLost } from './difference.ts'
import { brokenBodies, executeAll } from './execute.ts'
import { type Facts, readFacts } from './facts.ts'
import type { Finding, Where } from './finding.ts'
import { load } from './loaded.ts'
import { type Hold, lockFindings, watchLocks } from './locks.ts'
import { playAll } from './plays.ts'

/** What a schema change does, as far as it could be judged. */
export interface Judgement {
  readonly change: Change
  readonly before: Installed
  /** Undefined: it could not be applied. */
  readonly after: Installed | undefined
  readonly findings: readonly Finding[]
  /** What was not judged although nothing stood in its way, a line each. */
  readonly unjudged: readonly string[]
  readonly holds: readonly Hold[]
  /** What was done, in numbers, a line each. */
  readonly done: readonly string[]
}

/** What is to be judged, and by what. */
export interface Inquiry {
  readonly before: Schema
  readonly after: Schema
  readonly stories: readonly Story[]
  readonly catalogue: Catalogue
  readonly breaks: readonly Break[]
  readonly stripeMockUrl: string | undefined
  /** Told what is being done. */
  readonly report: (what: string) => void
}

/**
 * Judges a schema change: applies what it adds to what was there before, and compares the two by their catalogues, by
 * the stories, by the kill matrix, and by what applying it locks.
 *
 * Throws SchemaError and UnclearStageError for the schema before the change: without it nothing can be judged.
 */
export async function judgeChange(databases: Databases, inquiry: Inquiry): Promise<Judgement> {
  const { before, after, report, stories, stripeMockUrl } = inquiry
  const change = changeBetween(before, after)
  report('applying the schema before the change')
  const old = await templateOf(databases, before)
  const nothing = { change, before: old.notes, after: old.notes, unjudged: [], holds: [], done: [] }
  if (change.added.length === 0) {
    return { ...nothing, findings: change.findings, done: ['no migration is added: nothing was applied'] }
  }
  report('applying the change')
  const applied = await applyChange(databases, old, after, change)
  if ('failed' in applied)
    return { ...nothing, after: undefined, findings: [...change.findings, applied.failed] }

  const { template, blame } = applied
  const unjudged: string[] = []
  /** A question that fails is open, and the others are asked all the same. */
  const ask = <Answer>(what: string, work: Promise<Answer>): Promise<Answer | undefined> =>
    work.catch((error: Error) => {
      unjudged.push(`${what}: ${error.message}`)
      return undefined
    })
  const facts = {
    before: await onClone(databases, old, factsOf),
    after: await onClone(databases, template, factsOf),
  }
  report('trying the migrations on full tables')
  const locks = await ask('locks', tryLocks(databases, old, change))
  report('playing the stories before the change')
  const playsBefore = await ask('stories before the change', playAll(databases, old, stories, stripeMockUrl))
  report('playing the stories after the change')
  const playsAfter = await ask(
    'stories after the change',
    playAll(databases, template, stories, stripeMockUrl),
  )
  report('executing the functions, and breaking healthy rows')
  const rows = await ask(
    'functions and breaks',
    compareOnRows(databases, inquiry, { old, template, facts, blame }),
  )

  const plays = playsBefore && playsAfter && { before: playsBefore, after: playsAfter }
  const called = {
    signatures: plays?.after.called.signatures ?? new Set<string>(),
    names: plays?.before.called.names ?? new Set<string>(),
  }
  return {
    change,
    before: old.notes,
    after: template.notes,
    findings: [
      ...change.findings,
      ...valuesLost(facts.before, facts.after, blame),
      ...opened(facts.before, facts.after, blame),
      ...(await unmatched(facts.before, facts.after, called, blame)),
      ...(rows?.findings ?? []),
      ...(plays ? comparePlays(plays.before, plays.after) : []),
      ...lockFindings(locks?.holds ?? []),
    ],
    unjudged: [
      ...unjudged,
      ...(locks?.unjudged ?? []),
      ...(plays?.before.unjudged ?? []).map((line) => `before the change, ${line}`),
      ...(plays?.after.unjudged ?? []).map((line) => `after the change, ${line}`),
      ...(rows?.unjudged ?? []),
    ],
    holds: locks?.holds ?? [],
    done: [
      ...(plays
        ? [`stories played: ${plays.before.played.length} before, ${plays.after.played.length} after`]
        : []),
      ...(rows?.done ?? []),
      `facts of the catalogue compared: ${flatten(facts.before).size} before, ${flatten(facts.after).size} after`,
    ],
  }
}

type Applied =
  | { readonly template: Template<Installed>; readonly blame: Blame }
  | { readonly failed: Finding }

/** The schema after the change, made as production will make it: from what is there, by what is added. */
async function applyChange(
  databases: Databases,
  old: Template<Installed>,
  after: Schema,
  { added }: Change,
): Promise<Applied> {
  try {
    const made = await databases.makeTemplate(
      `change_${after.hash}`,
      async (url) => {
        const { skipped, places } = await applyWatched(url, added)
        return { installed: await describeInstalled(url, skipped), places: [...places] }
      },
      old,
    )
    const places = new Map(made.notes.places)
    return { template: { name: made.name, notes: made.notes.installed }, blame: (fact) => places.get(fact) }
  } catch (error) {
    if (error instanceof UnclearStageError) {
      return { failed: { level: 'harm', what: `what it leaves is of no stage: ${error.message}` } }
    }
    if (!(error instanceof SchemaError)) throw error
    const { file, line, message } = error
    return {
      failed: {
        level: 'harm',
        what: `it can't be applied: ${message.slice(`${file}:${line}: `.length)}`,
        where: { file, line },
      },
    }
  }
}

/** Applies files, and notes for each fact the statement that changed it last. */
async function applyWatched(databaseUrl: string, files: readonly SchemaFile[]) {
  const places = new Map<string, Where>()
  let known = flatten(await factsOf(databaseUrl))
  const skipped = await applySchema(databaseUrl, files, {
    async statement(client, { path }, { line, node }) {
      if (ROWS_ONLY.some((kind) => kind in node)) return
      const now = flatten(await readFacts(client))
      for (const fact of new Set([...known.keys(), ...now.keys()])) {
        if (known.get(fact) !== now.get(fact)) places.set(fact, { file: path, line })
      }
      known = now
    },
  })
  return { skipped, places }
}

const ROWS_ONLY = ['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'CommentStmt', 'VariableSetStmt']

async function factsOf(databaseUrl: string): Promise<Facts> {
  const client = new Client({ connectionString: databaseUrl })
  client.on('error', () => {})
  await client.connect()
  return readFacts(client).finally(() => client.end())
}

async function onClone<Result>(
  databases: Databases,
  template: Template<unknown>,
  work: (databaseUrl: string) => Promise<Result>,
): Promise<Result> {
  const database = await databases.createFrom(template)
  return work(database.url).finally(() => database.drop())
}

async function tryLocks(
  databases: Databases,
  old: Template<Installed>,
  { added }: Change,
): Promise<{ holds: readonly Hold[]; unjudged: readonly string[] }> {
  return onClone(databases, old, async (url) => {
    const unjudged = await load(url)
    const { holds, failed } = await watchLocks(url, added)
    const why =
      failed && `which locks the rest of the change takes: on full tables it fails: ${failed.message}`
    return { holds, unjudged: why === undefined ? unjudged : [...unjudged, why] }
  })
}

/** What is judged on the rows of a healthy ledger: bodies of functions, and what the invariants see. */
async function compareOnRows(
  databases: Databases,
  { catalogue, breaks }: Inquiry,
  {
    old,
    template,
    facts,
    blame,
  }: {
    readonly old: Template<Installed>
    readonly template: Template<Installed>
    readonly facts: { readonly before: Facts; readonly after: Facts }
    readonly blame: Blame
  },
): Promise<{ findings: readonly Finding[]; unjudged: readonly string[]; done: readonly string[] }> {
  const matrixBefore = await matrixOn(databases, old, catalogue, breaks)
  if ('refused' in matrixBefore) {
    return {
      findings: [],
      unjudged: [`functions and breaks: before the change ${matrixBefore.refused}`],
      done: [],
    }
  }
  const matrixAfter = await matrixOn(databases, template, catalogue, breaks)
  if ('refused' in matrixAfter) {
    return { findings: [{ level: 'harm', what: matrixAfter.refused }], unjudged: [], done: [] }
  }
  const failed = {
    before: await executeOn(databases, old, facts.before),
    after: await executeOn(databases, template, facts.after),
  }
  return {
    findings: [
      ...brokenBodies(failed.before, failed.after, blame),
      ...compareMatrices(matrixBefore, matrixAfter),
    ],
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
  catalogue: Catalogue,
  breaks: readonly Break[],
): Promise<MatrixOn | { readonly refused: string }> {
  const { stage } = template.notes
  if (!hasHealthyDatabase(stage)) return { refused: `there are no healthy rows of stage ${stage}` }
  try {
    return await killMatrixOn(databases, template, { catalogue, breaks })
  } catch (error) {
    if (error instanceof HealthyRowRefused) return { refused: error.message }
    throw error
  }
}

async function executeOn(
  databases: Databases,
  template: Template<Installed>,
  { functions }: Facts,
): Promise<ReadonlyMap<string, string>> {
  const { stage } = template.notes
  if (!hasHealthyDatabase(stage)) return new Map()
  const filled = await healthyOn(databases, template, await healthyDatabase(databases, stage))
  return onClone(databases, filled, (url) => executeAll(url, functions.values()))
}

/** What the audit saw before the change and no longer sees, and what it finds in a ledger that is well. */
function compareMatrices(before: MatrixOn, after: MatrixOn): Finding[] {
  const blind = after.kills.flatMap((kill): Finding[] => {
    const old = before.kills.find((one) => one.break.id === kill.break.id && one.stage === kill.stage)
    const lost = (old?.red ?? []).filter((id) => !kill.red.includes(id) && kill.refusedBy === undefined)
    if (lost.length === 0) return []
    return [
      {
        level: 'harm',
        what: `the audit no longer sees this fault: ${kill.break.title} (${kill.break.id}; ${lost.join(', ')} stays green)`,
      },
    ]
  })
  return [
    ...after.red
      .filter((id) => !before.red.includes(id))
      .map(
        (id): Finding => ({
          level: 'harm',
          what: `invariant turned red on the rows of a healthy ledger: ${id}`,
        }),
      ),
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
