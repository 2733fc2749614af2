import type { ClientBase } from 'pg'
import { withDatabase } from '../../../fixtures/postgres/connection.ts'
import { applySchema, SchemaError, type Watch } from '../../../fixtures/schema/apply.ts'
import type { SchemaFile } from '../../../fixtures/schema/schema.ts'
import type { Finding } from './finding.ts'

/** Rows of each table on which migrations are tried. */
export const LOADED_ROWS = 100_000

/** What one migration file does to one table while it runs. */
export interface Hold {
  readonly file: string
  /** The line of the statement that took the strongest lock, or that read or rewrote the table under one. */
  readonly line: number
  readonly table: string
  /** The strongest mode, as the manual names it. https://www.postgresql.org/docs/17/explicit-locking.html */
  readonly mode: string
  /** From then to the end of the transaction; on this machine. */
  readonly ms: number
  /** The whole table was read while writers waited. */
  readonly reads: boolean
  /** The table was written anew. */
  readonly rewrites: boolean
}

/** Modes that a plain insert or update has to wait for, weakest first. */
const BLOCK_WRITERS = ['ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock']

const HELD = `
  select format('%I.%I', n.nspname, c.relname) as table, l.mode
  from pg_catalog.pg_locks as l
  join pg_catalog.pg_class as c on c.oid = l.relation
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  where l.pid = pg_backend_pid() and l.granted and l.locktype = 'relation' and c.relkind in ('r', 'p')
    and l.mode = any ($1::text[])
    and n.nspname <> 'pg_catalog' and n.nspname not like 'pg\\_temp%'`

const TABLES = `
  select format('%I.%I', n.nspname, c.relname) as table, pg_relation_filenode(c.oid)::text as file,
    pg_stat_get_xact_tuples_returned(c.oid)::text as read
  from pg_catalog.pg_class as c
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  where c.relkind = 'r' and n.nspname <> 'pg_catalog' and n.nspname not like 'pg\\_temp%'`

/** A table as it is: the file on disk (a rewrite makes another), and the rows that this transaction's scans returned. */
interface Look {
  readonly file: string
  readonly read: number
}

/** On full tables no statement of a migration may take longer; on production it has many times the rows. */
const STATEMENT_TIMEOUT_MS = 300_000

/** What was seen, up to the statement that failed, if one did. */
export interface LockTrial {
  readonly holds: readonly Hold[]
  readonly failed: SchemaError | undefined
}

/**
 * Applies migrations to a database whose tables hold rows, and says which tables each of them locked
 * against writers, for how long, and what was done meanwhile.
 */
export async function watchLocks(databaseUrl: string, files: readonly SchemaFile[]): Promise<LockTrial> {
  const watcher = await withDatabase(databaseUrl, async (client) => {
    const before = await look(client)
    return new Watcher(before, await rowsOf(client, before.keys()))
  })
  const limited = new URL(databaseUrl)
  // What parallel workers read is not counted as read by this session.
  limited.searchParams.set(
    'options',
    `-c statement_timeout=${STATEMENT_TIMEOUT_MS} -c max_parallel_maintenance_workers=0 -c max_parallel_workers_per_gather=0`,
  )
  try {
    await applySchema(limited.href, files, watcher)
    return { holds: watcher.holds, failed: undefined }
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error
    return { holds: watcher.holds, failed: error }
  }
}

/** Sees a change of the table in every statement after which its transaction holds a lock on it. */
class Watcher implements Watch {
  readonly holds: Hold[] = []
  /** How many each table has; one that a migration makes has no writers yet. */
  readonly #rows: ReadonlyMap<string, number>
  #before: ReadonlyMap<string, Look>
  #open = new Map<string, Hold & { readonly since: number }>()

  constructor(before: ReadonlyMap<string, Look>, rows: ReadonlyMap<string, number>) {
    this.#rows = rows
    this.#before = before
  }

  async statement(
    client: ClientBase,
    { path }: SchemaFile,
    { line }: { readonly line: number },
  ): Promise<void> {
    const { rows } = await client.query<{ table: string; mode: string }>(HELD, [BLOCK_WRITERS])
    const now = await look(client)
    for (const { table, mode } of rows.filter((row) => this.#rows.has(row.table))) {
      const known = this.#open.get(table)
      const { file, read } = now.get(table) ?? { file: '', read: 0 }
      const before = this.#before.get(table)
      // The count begins anew with each transaction.
      const readBefore = before === undefined || before.read > read ? 0 : before.read
      const all = this.#rows.get(table) ?? 0
      const reads = all > 0 && read - readBefore >= all
      const rewrites = before !== undefined && before.file !== file
      const isStronger = known === undefined || strength(mode) > strength(known.mode)
      const isWorse = isStronger || (reads && !known.reads) || (rewrites && !known.rewrites)
      this.#open.set(table, {
        file: path,
        line: isWorse ? line : known.line,
        table,
        mode: isStronger ? mode : known.mode,
        ms: 0,
        since: known?.since ?? performance.now(),
        reads: reads || known?.reads === true,
        rewrites: rewrites || known?.rewrites === true,
      })
    }
    this.#before = now
  }

  end(): void {
    for (const { since, ...hold } of this.#open.values()) {
      this.holds.push({ ...hold, ms: Math.round(performance.now() - since) })
    }
    this.#open = new Map()
  }
}

async function look(client: ClientBase): Promise<Map<string, Look>> {
  const { rows } = await client.query<{ table: string; file: string; read: string }>(TABLES)
  return new Map(rows.map(({ table, file, read }) => [table, { file, read: Number(read) }]))
}

async function rowsOf(client: ClientBase, tables: Iterable<string>): Promise<Map<string, number>> {
  const rows = new Map<string, number>()
  for (const table of tables) {
    const { rows: counted } = await client.query<{ n: number }>(`select count(*)::int as n from ${table}`)
    rows.set(table, counted[0]?.n ?? 0)
  }
  return rows
}

const strength = (mode: string) => BLOCK_WRITERS.indexOf(mode)

/** Locks are held for milliseconds in a good migration; one that reads or rewrites a table meanwhile is none. */
export function lockFindings(holds: readonly Hold[]): Finding[] {
  return holds
    .filter(({ reads, rewrites }) => reads || rewrites)
    .map(({ file, line, table, mode, ms, rewrites }) => ({
      level: 'harm',
      what: `${mode} on ${table} while the whole table is ${rewrites ? 'written anew' : 'read'}: who writes to it waits (${ms} ms here)`,
      where: { file, line },
    }))
}
