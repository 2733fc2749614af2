import { createHash } from 'node:crypto'
import { Client, escapeIdentifier } from 'pg'
import { type Entitlement, entitlements, parseEvidence } from '../../../audits/evidence.ts'
import type { AppRevision } from '../../../fixtures/app/app.ts'
import type { ApiVersion } from '../../../fixtures/stripe/versions.ts'
import type { AppUnderTest } from '../app-under-test.ts'
import { allRules, planFlag, withoutRow } from '../outcome.ts'
import { IN_ORDER, isSame, type JobRef, leavesItsStep, type Plan, versionOf } from '../plan.ts'
import { type Performance, Play } from '../play.ts'
import type { Story } from '../story.ts'
import { EndState } from './end-state.ts'
import { RulesAtOnce } from './rules-at-once.ts'

/** A story as it was played by a plan, and judged. */
export interface Run {
  readonly performance: Performance
  readonly red: readonly string[]
  /** Those of them that the story does not declare. */
  readonly undeclared: readonly string[]
  /** What is not as the story tells it, a line each. */
  readonly complaints: readonly string[]
}

interface Owed {
  readonly text: string
  readonly entitlements: readonly Entitlement[]
}

/** How long an app may take to end its transactions after its last answer. */
const GRACE_MS = 200

const CLOSE_MS = 2_000

/**
 * One app on one database of its own, on which stories are played by one plan after the other, from the beginning each
 * time: what the database held when the arena was opened is put back before each run.
 */
export class Arena {
  readonly #client: Client
  readonly #play: Play
  #app: AppUnderTest
  readonly #startApp: () => Promise<AppUnderTest>
  readonly #rules: RulesAtOnce
  readonly #reset: string
  readonly #endState: EndState
  /** What is red, by what is owed and the end state: most runs of a story end as another did. */
  readonly #judged = new Map<string, readonly string[]>()
  /** By story and version: what is owed does not depend on how deliveries came. */
  readonly #owed = new WeakMap<Story, Map<ApiVersion | undefined, Owed>>()

  private constructor(
    client: Client,
    play: Play,
    app: AppUnderTest,
    startApp: () => Promise<AppUnderTest>,
    rules: RulesAtOnce,
    tables: readonly Table[],
  ) {
    this.#client = client
    this.#play = play
    this.#app = app
    this.#startApp = startApp
    this.#rules = rules
    this.#reset = resetOf(tables)
    this.#endState = new EndState(
      client,
      tables.map(({ schema, name }) => [schema, name]),
    )
  }

  /** @param app a revision, or a directory of routes; the database fits it. `ownProcess`: plans may kill it. */
  static async open(
    databaseUrl: string,
    app: AppRevision | (string & {}),
    { ownProcess = false, stripeMockUrl }: { ownProcess?: boolean; stripeMockUrl?: string } = {},
  ): Promise<Arena> {
    const client = new Client({ connectionString: databaseUrl, application_name: 'arena' })
    client.on('error', () => {})
    await client.connect()
    await client.query("set timezone = 'UTC'")
    const { rows } = await client.query<{ name: string }>('select current_database() as name')
    // A deadlock is an outcome, and not worth a second of waiting.
    await client.query(
      `alter database ${escapeIdentifier(rows[0]?.name ?? '')} set deadlock_timeout = '20ms'`,
    )
    const play = await Play.open({ databaseUrl, ...(stripeMockUrl !== undefined && { stripeMockUrl }) })
    const rules = await RulesAtOnce.install(client)
    const tables = await copyTables(client)
    const startApp = () => play.startApp(app, { disturbed: true, ownProcess })
    return new Arena(client, play, await startApp(), startApp, rules, tables)
  }

  /** The ids of the rules that are red whatever is played. */
  redAsInstalled(): Promise<readonly string[]> {
    return this.#rules.redAsInstalled()
  }

  /** `isWatched`: each statement, and what each request left in the database, is noted for the timeline. */
  async run(story: Story, plan: Plan, { isWatched = false } = {}): Promise<Run> {
    const began = await this.#startAnew()
    return this.#judge(await this.#play.perform(story, this.#app, { plan, isWatched }), began)
  }

  /** @param began as #startAnew says it */
  async #judge(performance: Performance, began: string): Promise<Run> {
    const { story, plan } = performance
    const owed = this.#owedBy(performance)
    const red = await this.#red(owed.text, await this.#endState.read(began))
    const undeclared = await this.#undeclared(story, plan, red)
    const missing = leavesItsStep(plan) ? [] : story.minor.filter((id) => !red.includes(id))
    const { rows } = performance.played.at(-1)?.snapshot ?? { rows: [] }
    const complaints = [
      ...performance.complaints,
      ...performance.invalidRequests,
      ...withoutRow(owed.entitlements, rows),
      ...undeclared.map((id) => `red, not declared: ${id}`),
      ...missing.map((id) => `declared, but not red: ${id}`),
      ...(await this.#leftOpen()),
    ]
    const ended = this.#app.process?.end
    if (ended !== undefined && !performance.isCut) complaints.push(`after its last answer ${ended}`)
    if (ended !== undefined || performance.isCut) await this.replaceApp()
    return { performance, red, undeclared, complaints }
  }

  /**
   * Plays it by a plan that disturbs nothing, and judges it too; how many statements and calls of Stripe's API each
   * delivery or request makes, up to where the app gives no answer.
   */
  async anatomy(story: Story, plan: Plan = IN_ORDER): Promise<{ run: Run; measured: readonly Measured[] }> {
    const measured: Measured[] = []
    const { proxy } = this.#app
    if (proxy === undefined) throw new Error('the app of an arena has a proxy')
    let statements = 0
    const began = await this.#startAnew()
    let callsBefore = this.#play.stripeCalls
    proxy.gate = {
      before: async () => {
        statements++
        return 'pass'
      },
      after: async () => {},
    }
    let performance: Performance
    try {
      performance = await this.#play.perform(story, this.#app, {
        plan,
        isWatched: false,
        onSent: (ref, what) => {
          // What was refused is sent again, and with later steps: a plan speaks of the first time.
          if (ref.place > 0 && !measured.some((one) => isSame(one.ref, ref)))
            measured.push({ ref, what, statements, calls: this.#play.stripeCalls - callsBefore })
          statements = 0
          callsBefore = this.#play.stripeCalls
        },
      })
    } finally {
      proxy.gate = undefined
    }
    return { run: await this.#judge(performance, began), measured }
  }

  /** The same of a story told in order. @throws Error where the app gives no answer */
  async measure(story: Story): Promise<readonly Measured[]> {
    const { run, measured } = await this.anatomy(story)
    if (run.performance.isCut)
      throw new Error(`${story.name} can't be explored: ${run.performance.complaints.at(-1)}`)
    return measured
  }

  /** An app that leaks its connections never closes, and is not waited for. */
  async close(): Promise<void> {
    const closing = async () => {
      await this.#app.close()
      await this.#play.close()
      await this.#client.end()
    }
    await Promise.race([closing(), new Promise((resolve) => setTimeout(resolve, CLOSE_MS).unref())])
  }

  /** Whether the app forgets all that is not in its database when another one takes its place. */
  get hasProcess(): boolean {
    return this.#app.process !== undefined
  }

  /** Another one in its place: one that is gone, or gave no answer, would give none to the next plan either. */
  async replaceApp(): Promise<void> {
    const { process } = this.#app
    if (process !== undefined) {
      await process.kill()
      await process.start()
      return
    }
    await this.#app.close()
    this.#app = await this.#startApp()
  }

  /** @returns the moment, as jsonb prints it */
  async #startAnew(): Promise<string> {
    await this.#client.query(this.#reset)
    this.#play.startAnew()
    const { rows } = await this.#client.query<{ now: string }>(
      "select to_jsonb(localtimestamp) #>> '{}' as now",
    )
    return rows[0]?.now ?? ''
  }

  async #red(owed: string, endState: string): Promise<readonly string[]> {
    const key = createHash('sha256').update(owed).update(endState).digest('base64')
    const known = this.#judged.get(key)
    if (known !== undefined) return known
    const red = await this.#rules.red(owed)
    this.#judged.set(key, red)
    return red
  }

  #owedBy({ story, plan, isCut }: Performance): Owed {
    const version = versionOf(plan)
    const byVersion = this.#owed.get(story) ?? new Map<ApiVersion | undefined, Owed>()
    this.#owed.set(story, byVersion)
    const known = byVersion.get(version)
    if (known !== undefined) return known
    const evidence = parseEvidence(JSON.stringify(this.#play.evidence()), "the stories' evidence")
    const owed = entitlements(evidence)
    const made = { text: JSON.stringify(owed), entitlements: owed.entitlements }
    if (!isCut) byVersion.set(version, made)
    return made
  }

  /** What is red by policy depends on the order: where that is another than the story's, it says nothing. */
  async #undeclared(story: Story, plan: Plan, red: readonly string[]): Promise<string[]> {
    const undeclared = red.filter((id) => !story.minor.includes(id))
    if (!leavesItsStep(plan)) return undeclared
    const { invariants } = await allRules()
    const isMinor = (id: string) => invariants.some((rule) => rule.id === id && rule.severity === 'minor')
    return undeclared.filter((id) => !isMinor(id))
  }

  /** An app that has answered everything holds no transaction. */
  async #leftOpen(): Promise<string[]> {
    const until = performance.now() + GRACE_MS
    for (;;) {
      const open = this.#app.proxy?.inTransaction ?? []
      if (open.length === 0) return []
      if (performance.now() > until) {
        for (const session of open) session.destroy()
        return [
          `${open.length} ${open.length === 1 ? 'connection was' : 'connections were'} left inside a transaction`,
        ]
      }
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }
}

/** What one delivery or request needs. */
export interface Measured {
  readonly ref: JobRef
  readonly what: string
  readonly statements: number
  readonly calls: number
}

interface Table {
  readonly schema: string
  readonly name: string
  readonly columns: string
  /** Where what it held is kept. */
  readonly copy: string
  readonly isFilled: boolean
}

/** Copies what the tables hold into a schema of its own. */
async function copyTables(client: Client): Promise<readonly Table[]> {
  const { rows } = await client.query<Omit<Table, 'isFilled'>>(`
    select n.nspname as schema, c.relname as name, format('explore.%I', n.nspname || '_' || c.relname) as copy,
      (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute as a
       where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind = 'r' and (n.nspname = 'public' or n.nspname = 'auth' and c.relname = 'users')
    order by c.oid`)
  const tables: Table[] = []
  for (const table of rows) {
    await client.query(`create table ${table.copy} as table ${nameOf(table)}`)
    const { rowCount } = await client.query(`select from ${table.copy} limit 1`)
    tables.push({ ...table, isFilled: rowCount === 1 })
  }
  return tables
}

/** The statements that put back what the tables held, whatever keys and triggers there are. */
function resetOf(tables: readonly Table[]): string {
  return [
    'begin',
    'set local session_replication_role = replica',
    ...tables.map((table) => `delete from ${nameOf(table)}`),
    ...tables
      .filter(({ isFilled }) => isFilled)
      .map((table) => {
        const { columns, copy } = table
        return `insert into ${nameOf(table)} (${columns}) overriding system value select ${columns} from ${copy}`
      }),
    'commit',
  ].join(';\n')
}

const nameOf = ({ schema, name }: Pick<Table, 'schema' | 'name'>): string =>
  `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`

/** A run as the line that plays it again. */
export function lineOf(app: string, { performance: { story, plan } }: Run): string {
  return `npm run replay -- ${story.name} --app ${app}${planFlag(plan)}`
}
