import type { Databases, Template } from '../../../fixtures/postgres/databases.ts'
import { type Installed, templateOf } from '../given-schema.ts'
import { healthyOn } from '../healthy-rows.ts'
import { healthyDatabase } from '../kill-matrix.ts'
import { applyChange, factsOf } from './apply-change.ts'
import { unmatched } from './calls.ts'
import { type Change, changeBetween } from './change.ts'
import { onClone } from './clone.ts'
import { comparePlays } from './compare-plays.ts'
import { flatten, opened, taken, valuesLost } from './difference.ts'
import type { Finding } from './finding.ts'
import type { Inquiry } from './inquiry.ts'
import { load } from './loaded.ts'
import { type Hold, lockFindings, watchLocks } from './locks.ts'
import { compareOnRows } from './on-rows.ts'
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
    compareOnRows(databases, { ...inquiry, change }, { old, template, facts, blame }),
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
      ...taken(facts.before, facts.after, blame, old.notes.stage === template.notes.stage ? 'harm' : 'note'),
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

async function tryLocks(
  databases: Databases,
  old: Template<Installed>,
  { added }: Change,
): Promise<{ holds: readonly Hold[]; unjudged: readonly string[] }> {
  const onFullTables = await onClone(databases, old, async (url) => {
    const unjudged = await load(url)
    return { unjudged, ...(await watchLocks(url, added)) }
  })
  const { holds, unjudged, failed } = onFullTables
  if (failed === undefined) return { holds, unjudged }
  // Rows that are made up may be what a new constraint refuses; those of a healthy ledger are few, and real.
  const filled = await healthyOn(databases, old, await healthyDatabase(databases, old.notes.stage))
  const onHealthy = await onClone(databases, filled, (url) => watchLocks(url, added))
  // Where it fails on those too, that is said with what else they meet.
  return { holds: onHealthy.holds, unjudged }
}
