import { Client, DatabaseError } from 'pg'
import { audit } from '../../audits/audit.ts'
import type { Break, Catalogue } from '../../audits/catalogue.ts'
import { type Evidence, entitlements, parseEvidence } from '../../audits/evidence.ts'
import type { Report } from '../../audits/reports/report.ts'
import type { Stage } from '../../audits/stage.ts'
import type { Databases, Template } from '../../fixtures/postgres/databases.ts'
import { type EvidenceText, fillAsFound, fillRetired, fillUnified, fillView } from './healthy.ts'

/** Healthy databases, one a stage, to be cloned and broken; the notes are the text of their evidence. */
export type HealthyDatabases = Readonly<Partial<Record<Stage, Template<EvidenceText>>>>

/** What one break did to the healthy database of one stage. */
export interface Kill {
  readonly break: Break
  readonly stage: Stage
  readonly red: readonly string[]
  /** What is not as the break's header says, a line each; empty: exactly the declared rules, naming the subject. */
  readonly complaints: readonly string[]
  /** The break's statements ran. */
  readonly applied: boolean
  /** Why the fault is not possible here: the constraint that refuses it, the table that is not there. */
  readonly refusedBy?: string
}

const FILL: Readonly<Record<Stage, (databaseUrl: string) => Promise<EvidenceText>>> = {
  'as-found': fillAsFound,
  view: fillView,
  unify: fillUnified,
  retired: fillRetired,
}

/** The healthy database of a stage. */
export function healthyDatabase(databases: Databases, stage: Stage): Promise<Template<EvidenceText>> {
  return databases.makeTemplate(`healthy-${stage}`, FILL[stage], 'as-found')
}

/** Those of the stages that breaks are written for. */
export async function healthyDatabases(databases: Databases): Promise<HealthyDatabases> {
  return {
    'as-found': await healthyDatabase(databases, 'as-found'),
    view: await healthyDatabase(databases, 'view'),
    unify: await healthyDatabase(databases, 'unify'),
  }
}

/** Judges a healthy database as it is: with evidence, and nothing given time to settle. */
export async function judgeHealthy(
  databaseUrl: string,
  catalogue: Catalogue,
  text: EvidenceText,
): Promise<Report> {
  return judge(databaseUrl, catalogue, parseEvidence(text, 'the evidence of a healthy database'))
}

/** Applies a break to a clone of each healthy database that it names, and judges it by the whole catalogue. */
export async function applyBreak(
  fault: Break,
  {
    databases,
    healthy,
    catalogue,
  }: { databases: Databases; healthy: HealthyDatabases; catalogue: Catalogue },
): Promise<readonly Kill[]> {
  const kills: Kill[] = []
  for (const stage of fault.stages) {
    const template = healthy[stage]
    if (template === undefined) throw new Error(`${fault.id}: there is no healthy database of stage ${stage}`)
    kills.push(await applyOnce(fault, stage, template, { databases, catalogue }))
  }
  return kills
}

async function applyOnce(
  fault: Break,
  stage: Stage,
  template: Template<EvidenceText>,
  { databases, catalogue }: { databases: Databases; catalogue: Catalogue },
): Promise<Kill> {
  const database = await databases.createFrom(template)
  try {
    const evidence = parseEvidence(template.notes, 'the evidence of a healthy database')
    const subjects = await breakIt(database.url, fault, evidence)
    const report = await judge(database.url, catalogue, fault.needsEvidence ? evidence : undefined)
    return {
      break: fault,
      stage,
      red: redOf(report),
      complaints: complaintsAbout(fault, report, subjects),
      applied: true,
    }
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    return {
      break: fault,
      stage,
      red: [],
      applied: false,
      complaints: [`could not be applied: ${error.message}`],
      ...(REFUSES.test(error.code ?? '') && { refusedBy: error.constraint ?? error.message }),
    }
  } finally {
    await database.drop()
  }
}

/**
 * What a constraint refuses, and a table that is not there: https://www.postgresql.org/docs/17/errcodes-appendix.html
 */
const REFUSES = /^(23|42P01)/

/** Ids of the rules that found something, whatever their severity. */
export function redOf(report: Report): string[] {
  return report.targets.flatMap(({ invariants }) =>
    invariants.filter(({ status }) => status === 'fail').map(({ id }) => id),
  )
}

/** What could not be judged; a rule that had nothing to look at is no proof that it would see anything. */
export function unjudged(report: Report): string[] {
  return report.targets.flatMap(({ problem, invariants }) => [
    ...(problem === null ? [] : [problem]),
    ...invariants
      .filter(({ status }) => status !== 'fail' && status !== 'pass')
      .map(({ id, status, problem: why }) => `${id} is ${status}: ${why}`),
  ])
}

function judge(databaseUrl: string, catalogue: Catalogue, evidence: Evidence | undefined): Promise<Report> {
  const targets = [{ name: 'scenario', url: databaseUrl }]
  return audit({ targets, catalogue, evidence, settle: false, failOn: 'minor' })
}

/** Runs the break's statements in one transaction; the subjects that it may name, before and after. */
async function breakIt(databaseUrl: string, fault: Break, evidence: Evidence): Promise<ReadonlySet<string>> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query('begin')
    await client.query(`select set_config('audit.evidence', $1, true)`, [
      JSON.stringify(entitlements(evidence)),
    ])
    const subjects = async (): Promise<string[]> => {
      const { rows } = await client.query<{ id: string }>(`select s.id from (${fault.subject}) as s (id)`)
      return rows.map(({ id }) => id)
    }
    const before = await subjects()
    await client.query(fault.sql)
    const after = await subjects()
    await client.query('commit')
    return new Set([...before, ...after])
  } finally {
    await client.end()
  }
}

function complaintsAbout(fault: Break, report: Report, subjects: ReadonlySet<string>): string[] {
  const red = redOf(report)
  const foreign = report.targets.flatMap(({ invariants }) =>
    invariants.flatMap(({ id, sample }) =>
      sample
        .filter(({ subject_id }) => !subjects.has(subject_id))
        .map(
          ({ subject_type, subject_id, detail }) =>
            `${id} names ${subject_type} ${subject_id} (${detail}), which was not broken`,
        ),
    ),
  )
  return [
    ...fault.turnsRed.filter((id) => !red.includes(id)).map((id) => `${id} stays green`),
    ...red.filter((id) => !fault.turnsRed.includes(id)).map((id) => `${id} turns red`),
    ...foreign,
    ...unjudged(report),
  ]
}
