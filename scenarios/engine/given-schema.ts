import type { Client } from 'pg'
import { z } from 'zod'
import type { Catalogue, Invariant } from '../../audits/catalogue.ts'
import { relationsOf } from '../../audits/relations.ts'
import {
  STAGE_FACTS_SQL,
  STAGE_RECORDED_SQL,
  STAGES,
  type Stage,
  type StageFacts,
  stageOf,
} from '../../audits/stage.ts'
import type { AppRevision } from '../../fixtures/app/app.ts'
import { withDatabase } from '../../fixtures/postgres/connection.ts'
import type { Databases, Template } from '../../fixtures/postgres/databases.ts'
import { applySchema, type Skipped } from '../../fixtures/schema/apply.ts'
import type { Schema } from '../../fixtures/schema/schema.ts'
import { addPlanTiers } from './house.ts'
import type { Act, Story } from './story.ts'

/** What came of applying somebody's schema. */
export interface Installed {
  readonly skipped: readonly Skipped[]
  readonly stage: Stage
  /** The stage was not recorded by the schema: a dump holds no rows. */
  readonly stageFromColumns: boolean
  /** Names of the functions in schema public. */
  readonly functions: readonly string[]
}

/** The stage of what was applied can't be told, so that nothing can be judged on it. */
export class UnclearStageError extends Error {
  override readonly name = 'UnclearStageError'
}

/** A template with somebody's schema on top of the parts of Supabase, and the plans that the stories sell. */
export function templateOf(databases: Databases, schema: Schema): Promise<Template<Installed>> {
  return databases.makeTemplate(`schema_${schema.hash}`, (url) => install(url, schema), 'supabase')
}

/**
 * Applies a schema in a database that has the parts of Supabase and nothing else.
 *
 * @throws SchemaError at the statement that fails; UnclearStageError.
 */
export async function install(databaseUrl: string, schema: Schema): Promise<Installed> {
  const isDump = schema.kind === 'dump'
  if (isDump) await withDatabase(databaseUrl, (client) => client.query(AS_DUMPED))
  return describeInstalled(databaseUrl, await applySchema(databaseUrl, schema.files), isDump)
}

/**
 * Reads what was applied, and gives the app's plans the prices of the stories. Throws UnclearStageError.
 *
 * @param holdsNoRows the stage, if it is not recorded, is read from the columns, and recorded
 */
export function describeInstalled(
  databaseUrl: string,
  skipped: readonly Skipped[],
  holdsNoRows = false,
): Promise<Installed> {
  return withDatabase(databaseUrl, async (client) => {
    const reading = await readStage(client, holdsNoRows)
    await addPlanTiers(client)
    const { rows } = await client.query<{ name: string }>(
      `select distinct p.proname as name from pg_catalog.pg_proc as p
       where p.pronamespace = 'public'::regnamespace order by 1`,
    )
    return { skipped, ...reading, functions: rows.map(({ name }) => name) }
  })
}

// A dump says who may what, object by object, and its own default privileges at its end.
const AS_DUMPED = ['tables', 'functions', 'sequences']
  .map(
    (kind) =>
      `alter default privileges in schema public revoke all on ${kind} from anon, authenticated, service_role;`,
  )
  .join('\n')

async function readStage(
  client: Client,
  isDump: boolean,
): Promise<Pick<Installed, 'stage' | 'stageFromColumns'>> {
  const facts = await readFacts(client)
  // The rows of the table of stages are not in a dump: what the columns say is recorded in their place.
  const stageFromColumns = isDump && facts.recorded?.length === 0
  if (stageFromColumns) {
    const has = facts.grantKey ? (facts.legacy ? 'unify' : 'retired') : 'view'
    const reached = STAGES.slice(1, STAGES.indexOf(has) + 1)
    await client.query(
      `insert into public.token_ledger_stage (stage, applied_at) select s, now() from unnest($1::text[]) as s`,
      [reached],
    )
  }
  return { stage: await stageHere(client), stageFromColumns }
}

/** The stage of a database. Throws UnclearStageError where that can't be told. */
export async function stageHere(client: Client): Promise<Stage> {
  const reading = stageOf(await readFacts(client))
  if ('unclear' in reading) throw new UnclearStageError(reading.unclear)
  return reading.stage
}

const Facts = z.object({
  recorded: z.boolean(),
  usage: z.boolean(),
  legacy: z.boolean(),
  ledger: z.boolean(),
  grant_key: z.boolean(),
})

async function readFacts(client: Client): Promise<StageFacts> {
  const { rows } = await client.query(STAGE_FACTS_SQL)
  const { grant_key: grantKey, ...facts } = Facts.parse(rows[0])
  if (!facts.recorded) return { ...facts, grantKey, recorded: null }
  const { rows: recorded } = await client.query<{ stage: string }>(STAGE_RECORDED_SQL)
  return { ...facts, grantKey, recorded: recorded.map(({ stage }) => stage) }
}

/** The reference app that is written for a stage. */
export function appFor(stage: Stage): AppRevision {
  return stage === 'as-found' || stage === 'view' ? 'as-found' : 'repaired'
}

/** Why a story has no meaning on a schema: what its acts call is not there. Undefined: it has. */
export function withoutMeaning(story: Story, { stage, functions }: Installed): string | undefined {
  const calls = CALLS[appFor(stage)]
  const missing = [...new Set(story.steps.flatMap(({ act }) => calls(act)))].filter(
    (name) => !functions.includes(name),
  )
  return missing.length === 0 ? undefined : `there is no function ${missing.join(', ')}`
}

/** The functions without which the app can't do what an act asks of it. */
const CALLS: Readonly<Record<AppRevision, (act: Act) => readonly string[]>> = {
  'as-found': planCalls,
  repaired: (act) => {
    if (act.do === 'buy-pack' || act.do === 'settle-delayed') return ['grant_token_pack']
    if (act.do === 'admin') return ['adjust_tokens']
    if (act.do === 'use') return ['record_token_usage']
    return planCalls(act)
  },
}

function planCalls(act: Act): readonly string[] {
  if (act.do === 'start-trial') return ['grant_trial_tokens']
  if (act.do === 'start-plan') return [act.plan === 'annual' ? 'grant_annual_tokens' : 'drip_tokens_28day']
  return []
}

/** A rule that has no meaning on a schema, and why. */
export interface Left {
  readonly id: string
  readonly why: string
}

/** The rules that have meaning on a schema, and those that have none. */
export async function rulesFor(
  { invariants }: Catalogue,
  databaseUrl: string,
  { stage }: Installed,
): Promise<{ catalogue: Catalogue; left: readonly Left[] }> {
  const ofStage = invariants.filter(({ stages }) => stages.includes(stage))
  const relations = await relationsOf(ofStage)
  const missing = new Set(await missingOf(databaseUrl, [...relations.keys()]))
  const reads = (rule: Invariant) =>
    [...missing].filter((relation) => relations.get(relation)?.includes(rule.id))
  const why = (rule: Invariant) => {
    if (!rule.stages.includes(stage)) return `is of stage ${rule.stages.join(', ')}`
    const absent = reads(rule)
    return absent.length === 0 ? undefined : `reads ${absent.join(', ')}, which is not there`
  }
  return {
    catalogue: { invariants: ofStage.filter((rule) => why(rule) === undefined) },
    left: invariants.flatMap((rule) => {
      const reason = why(rule)
      return reason === undefined ? [] : [{ id: rule.id, why: reason }]
    }),
  }
}

function missingOf(databaseUrl: string, relations: readonly string[]): Promise<string[]> {
  return withDatabase(databaseUrl, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      'select name from unnest($1::text[]) as name where to_regclass(name) is null',
      [relations],
    )
    return rows.map(({ name }) => name)
  })
}

/** What was applied, as lines: files, stage, and what was skipped, a reason a line. */
export function renderInstalled(
  { path, files, ignored }: Schema,
  { stage, stageFromColumns, skipped }: Installed,
): string[] {
  const how = stageFromColumns ? ', read from its columns: a dump holds no rows' : ''
  return [
    `schema ${path}: ${files.length} ${files.length === 1 ? 'file' : 'files'}, stage ${stage}${how}`,
    ...ignored.map((name) => `  not a migration: ${name}`),
    ...[...Map.groupBy(skipped, ({ why }) => why)].map(([why, ones]) => {
      const [first] = ones as [Skipped, ...Skipped[]]
      const rest = ones.length > 1 ? ` and ${ones.length - 1} more` : ''
      return `  skipped: ${first.what} (${first.file}:${first.line})${rest}: ${why}`
    }),
  ]
}

/** The rules that have no meaning, as lines: a reason a line. */
export function renderLeft(left: readonly Left[]): string[] {
  return [...Map.groupBy(left, ({ why }) => why)].map(
    ([why, rules]) => `  no meaning here: ${rules.map(({ id }) => id).join(', ')} (${why})`,
  )
}
