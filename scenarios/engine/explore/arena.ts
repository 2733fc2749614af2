import { Client, escapeIdentifier } from 'pg'
import { type Entitlement, entitlements, parseEvidence } from '../../../audits/evidence.ts'
import type { AppRevision } from '../../../fixtures/app/app.ts'
import type { ApiVersion } from '../../../fixtures/stripe/versions.ts'
import type { AppUnderTest } from '../app-under-test.ts'
import { allRules, planFlag, withoutRow } from '../outcome.ts'
import { IN_ORDER, leavesItsStep, type Plan, versionOf } from '../plan.ts'
import { type Performance, Play } from '../play.ts'
import type { Story } from '../story.ts'
import { RulesAtOnce } from './rules-at-once.ts'

/** A story as it was played by a plan, and judged. */
export interface Run {
  readonly performance: Performance
  readonly red: readonly string[]
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
  readonly #app: AppUnderTest
  readonly #rules: RulesAtOnce
  readonly #reset: string
  /** By story and version: what is owed does not depend on how deliveries came. */
  readonly #owed = new WeakMap<Story, Map<ApiVersion | undefined, Owed>>()

  private constructor(client: Client, play: Play, app: AppUnderTest, rules: RulesAtOnce, reset: string) {
    this.#client = client
    this.#play = play
    this.#app = app
    this.#rules = rules
    this.#reset = reset
  }

  /** @param app a revision, or a directory of routes; the database fits it. */
  static async open(databaseUrl: string, app: AppRevision | (string & {})): Promise<Arena> {
    const client = new Client({ connectionString: databaseUrl, application_name: 'arena' })
    client.on('error', () => {})
    await client.connect()
    const { rows } = await client.query<{ name: string }>('select current_database() as name')
    // A deadlock is an outcome, and not worth a second of waiting.
    await client.query(
      `alter database ${escapeIdentifier(rows[0]?.name ?? '')} set deadlock_timeout = '20ms'`,
    )
    const play = await Play.open({ databaseUrl })
    const rules = await RulesAtOnce.install(client)
    const reset = await makeReset(client)
    return new Arena(client, play, await play.startApp(app, { disturbed: true }), rules, reset)
  }

  /** The ids of the rules that are red whatever is played. */
  redAsInstalled(): Promise<readonly string[]> {
    return this.#rules.redAsInstalled()
  }

  /** `isWatched`: what each request left in the database is read after each, for the timeline. */
  async run(story: Story, plan: Plan, { isWatched = false } = {}): Promise<Run> {
    await this.#startAnew()
    return this.#judge(await this.#play.perform(story, this.#app, { plan, isWatched }))
  }

  async #judge(performance: Performance): Promise<Run> {
    const { story, plan } = performance
    const owed = this.#owedBy(story, plan)
    const red = await this.#rules.red(owed.text)
    const { rows } = performance.played.at(-1)?.snapshot ?? { rows: [] }
    const complaints = [
      ...performance.complaints,
      ...performance.invalidRequests,
      ...withoutRow(owed.entitlements, rows),
      ...(await this.#undeclared(story, plan, red)),
      ...(await this.#leftOpen()),
    ]
    return { performance, red, complaints }
  }

  /**
   * Plays it by a plan that disturbs nothing, and judges it too; how many statements and calls of Stripe's API each
   * delivery or request makes.
   */
  async anatomy(story: Story, plan: Plan = IN_ORDER): Promise<{ run: Run; measured: readonly Measured[] }> {
    const measured: Measured[] = []
    const { proxy } = this.#app
    if (proxy === undefined) throw new Error('the app of an arena has a proxy')
    let statements = 0
    await this.#startAnew()
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
          measured.push({ ref, what, statements, calls: this.#play.stripeCalls - callsBefore })
          statements = 0
          callsBefore = this.#play.stripeCalls
        },
      })
    } finally {
      proxy.gate = undefined
    }
    return { run: await this.#judge(performance), measured }
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

  async #startAnew(): Promise<void> {
    await this.#client.query(this.#reset)
    this.#play.startAnew()
  }

  #owedBy(story: Story, plan: Plan): Owed {
    const version = versionOf(plan)
    const byVersion = this.#owed.get(story) ?? new Map<ApiVersion | undefined, Owed>()
    this.#owed.set(story, byVersion)
    const known = byVersion.get(version)
    if (known !== undefined) return known
    const evidence = parseEvidence(JSON.stringify(this.#play.evidence()), "the stories' evidence")
    const owed = entitlements(evidence)
    const made = { text: JSON.stringify(owed), entitlements: owed.entitlements }
    byVersion.set(version, made)
    return made
  }

  /** What is red by policy depends on the order: where that is another than the story's, it says nothing. */
  async #undeclared(story: Story, plan: Plan, red: readonly string[]): Promise<string[]> {
    const undeclared = red.filter((id) => !story.minor.includes(id))
    if (leavesItsStep(plan)) {
      const { invariants } = await allRules()
      const isMinor = (id: string) => invariants.some((rule) => rule.id === id && rule.severity === 'minor')
      return undeclared.filter((id) => !isMinor(id)).map((id) => `red, not declared: ${id}`)
    }
    return [
      ...undeclared.map((id) => `red, not declared: ${id}`),
      ...story.minor.filter((id) => !red.includes(id)).map((id) => `declared, but not red: ${id}`),
    ]
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
  readonly ref: { readonly step: number; readonly place: number }
  readonly what: string
  readonly statements: number
  readonly calls: number
}

/**
 * Copies what the tables hold into a schema of its own.
 * @returns the statements that put it back: whatever keys and triggers there are
 */
async function makeReset(client: Client): Promise<string> {
  const { rows } = await client.query<{ name: string; columns: string; copy: string }>(`
    select format('%I.%I', n.nspname, c.relname) as name, format('explore.%I', n.nspname || '_' || c.relname) as copy,
      (select string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_attribute as a
       where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind = 'r' and (n.nspname = 'public' or n.nspname = 'auth' and c.relname = 'users')
    order by c.oid`)
  const filled: boolean[] = []
  for (const { name, copy } of rows) {
    await client.query(`create table ${copy} as table ${name}`)
    const { rowCount } = await client.query(`select from ${copy} limit 1`)
    filled.push(rowCount === 1)
  }
  return [
    'begin',
    'set local session_replication_role = replica',
    ...rows.map(({ name }) => `delete from ${name}`),
    ...rows.flatMap(({ name, copy, columns }, index) =>
      filled[index]
        ? [`insert into ${name} (${columns}) overriding system value select ${columns} from ${copy}`]
        : [],
    ),
    'commit',
  ].join(';\n')
}

/** A run as the line that plays it again. */
export function lineOf(app: string, { performance: { story, plan } }: Run): string {
  return `npm run replay -- ${story.name} --app ${app}${planFlag(plan)}`
}
