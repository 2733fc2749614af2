import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Client } from 'pg'
import { type AuditOptions, audit } from '../../../audits/audit.ts'
import { type Catalogue, type Invariant, readCatalogue } from '../../../audits/catalogue.ts'
import { type Evidence, parseEvidence } from '../../../audits/evidence.ts'
import { openHistory } from '../../../audits/history.ts'
import { relationsOf } from '../../../audits/relations.ts'
import type { Report } from '../../../audits/reports/report.ts'
import { roleSql } from '../../../audits/role.ts'
import type { Surroundings } from '../../../audits/session.ts'
import { LIMITS } from '../../../audits/transaction.ts'
import { installHeartbeat } from '../../../fixtures/migrations/heartbeat.ts'
import { parseTarget } from '../../../fixtures/migrations/target.ts'
import { type Database, Databases, type Source } from '../../../fixtures/postgres/databases.ts'
import type { Standby } from '../../../fixtures/postgres/standbys/standby.ts'
import { type Replicas, startReplicasAnyway } from '../../../fixtures/postgres/standbys/start.ts'
import { fillUnified } from '../healthy.ts'

const ROOT = join(import.meta.dirname, '../../..')

/** A healthy ledger on a primary with two standbys, and the audit's role: what faults are put into. */
export class World {
  readonly replicas: Replicas
  readonly catalogue: Catalogue
  readonly evidence: Evidence
  /** The healthy database on the primary. */
  readonly database: Database
  readonly #databases: Databases
  readonly #role: string

  private constructor(
    replicas: Replicas,
    databases: Databases,
    database: Database,
    catalogue: Catalogue,
    evidence: Evidence,
    role: string,
  ) {
    this.replicas = replicas
    this.#databases = databases
    this.database = database
    this.catalogue = catalogue
    this.evidence = evidence
    this.#role = role
  }

  static async start(): Promise<World> {
    const replicas = await startReplicasAnyway(2)
    const databases = new Databases(replicas.primary)
    try {
      const catalogue = await readCatalogue(join(ROOT, 'audits/invariants'))
      const database = await databases.create('as-found')
      const evidence = parseEvidence(await fillUnified(database.url), 'the healthy ledger')
      await installHeartbeat(parseTarget(database.url))
      const role = roleSql([...(await relationsOf(catalogue.invariants)).keys()])
      await execute(
        database.url,
        `create table public.thing as select n from generate_series(1, 100) as n; ${role}; grant select on public.thing to token_audit`,
      )
      const world = new World(replicas, databases, database, catalogue, evidence, role)
      await world.caughtUp()
      return world
    } catch (error) {
      await databases.close()
      await replicas.stop()
      throw error
    }
  }

  get standby(): Standby {
    return this.#standby(0)
  }

  /** For what can't be undone. */
  get spare(): Standby {
    return this.#standby(1)
  }

  #standby(index: number): Standby {
    const standby = this.replicas.standbys[index]
    if (standby === undefined) throw new Error('the set has two standbys')
    return standby
  }

  /** The URL of a database on a server, for the audit's role or another one. */
  url(server: { readonly url: string }, role = 'token_audit', database = this.database.name): string {
    const url = new URL(server.url)
    url.pathname = `/${database}`
    url.username = role
    url.password = 'choose one'
    return url.href
  }

  /** Another database beside the healthy one, readable by the audit's role on both standbys. */
  async another(source: Source): Promise<Database> {
    const database = await this.#databases.createAny(source)
    const grants = this.#role.slice(this.#role.lastIndexOf('grant usage'))
    await execute(database.url, grants)
    await this.caughtUp()
    return database
  }

  onPrimary(sql: string, database = this.database): Promise<void> {
    return execute(database.url, sql)
  }

  /** Everything that is committed on the primary is on both standbys. */
  async caughtUp(): Promise<void> {
    await Promise.all(this.replicas.standbys.map((standby) => standby.caughtUp()))
  }

  rule(id: string): Invariant {
    const found = this.catalogue.invariants.find((invariant) => invariant.id === id)
    if (found === undefined) throw new Error(`there is no rule "${id}"`)
    return found
  }

  /** An audit in this process, without the waits; of the standby, by one rule, unless told otherwise. */
  audit(more: Partial<AuditOptions> = {}, surroundings: Partial<Surroundings> = {}): Promise<Report> {
    return audit({
      targets: [{ name: 'replica', url: this.url(this.standby) }],
      catalogue: { invariants: [this.rule('size-positive')] },
      surroundings: {
        limits: LIMITS,
        now: Date.now,
        random: () => 0.5,
        wait: async () => {},
        ...surroundings,
      },
      ...more,
    })
  }

  /** Two audits that share a history: what the second one says. */
  async twice(more: Partial<AuditOptions>, between: () => Promise<void>): Promise<Report> {
    const directory = await mkdtemp(join(tmpdir(), 'token-audit-history-'))
    const run = async () => {
      const targets = ['replica', ...(more.targets ?? []).map(({ name }) => name)]
      const history = await openHistory(directory, { now: new Date(), waitMs: 1_000, targets })
      try {
        const report = await this.audit({ ...more, history })
        await history.append(report, true)
        return report
      } finally {
        await history.close()
      }
    }
    try {
      await run()
      await between()
      return await run()
    } finally {
      await rm(directory, { recursive: true })
    }
  }

  /** Waits until the slow rule of an audit computes on the standby. */
  async computing(audit: Promise<unknown>): Promise<void> {
    let early: string | undefined
    audit.then(
      (result) => {
        early = JSON.stringify(result).slice(0, 2_000)
      },
      (error: unknown) => {
        early = String(error)
      },
    )
    while (!(await this.#computes())) {
      if (early !== undefined) {
        throw new Error(`the audit ended before its slow rule was seen to run: ${early}`)
      }
      await wait(5)
    }
  }

  /** Waits until no slow rule computes on the standby any more. */
  async idle(): Promise<void> {
    while (await this.#computes()) await wait(5)
  }

  async #computes(): Promise<boolean> {
    const rows = await select(
      this.standby.url,
      `select 1 from pg_stat_activity where state = 'active' and query like '%generate_series%'
       and application_name like 'token-audit/%/${SLOW.id}'`,
    )
    return rows.length > 0
  }

  async stop(): Promise<void> {
    await this.#databases.close()
    await this.replicas.stop()
  }
}

/** A rule that finds nothing, changed as a fault needs it. */
export function quietRule(change: Partial<Invariant> = {}): Invariant {
  return {
    id: 'quiet',
    file: 'quiet.sql',
    title: 'Nothing is found',
    severity: 'critical',
    stages: ['as-found', 'view', 'unify', 'retired'],
    why: 'w',
    fix: 'f',
    unit: 'rows',
    population: 'select count(*) from public.token_usage',
    settleMs: 0,
    needsEvidence: false,
    sql: found('where false'),
    line: 1,
    namesUser: false,
    functions: [],
    ...change,
  }
}

/** A rule that computes for some seconds, so that there is time to break something. */
export const SLOW = quietRule({
  id: 'slow',
  population: 'select count(*) from generate_series(1, 12000000)',
})

/** A select of one violation for each row of what follows. */
export function found(from: string): string {
  return `select 'row'::text as subject_type, '1'::text as subject_id, 'd'::text as detail, 0::numeric as expected,
    1::numeric as actual, null::timestamptz as occurred_at ${from}`
}

async function execute(url: string, sql: string): Promise<void> {
  await select(url, sql)
}

export async function select(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  try {
    const result = await client.query<Record<string, unknown>>(sql)
    return result.rows ?? []
  } finally {
    await client.end()
  }
}
