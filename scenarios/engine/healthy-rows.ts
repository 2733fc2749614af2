import { type Client, escapeIdentifier } from 'pg'
import { withDatabase } from '../../fixtures/postgres/connection.ts'
import type { Databases, Template } from '../../fixtures/postgres/databases.ts'
import { APP_TABLES } from './app-tables.ts'
import type { EvidenceText } from './healthy.ts'
import { columnsOf, theRest } from './made-up.ts'

/** Everything that a healthy ledger consists of. */
const TABLES = [...APP_TABLES, 'public.membership_tiers', 'public.token_ledger_stage']

/** A schema that refuses rows of a healthy ledger; the message says which row, and by what. */
export class HealthyRowRefused extends Error {
  override readonly name = 'HealthyRowRefused'
}

/**
 * A healthy database in somebody's schema: the rows of our own healthy database of that stage, in those tables and
 * columns that both have, in the place of the rows that the schema brings. What the schema needs beside them is made up.
 *
 * Throws HealthyRowRefused.
 */
export function healthyOn(
  databases: Databases,
  given: Template<unknown>,
  healthy: Template<EvidenceText>,
): Promise<Template<EvidenceText>> {
  return databases.makeTemplate(
    `healthy_${given.name}`,
    async (url) => {
      const source = await databases.createFrom(healthy)
      try {
        await copyRows(source.url, url)
      } finally {
        await source.drop()
      }
      return healthy.notes
    },
    given,
  )
}

function copyRows(fromUrl: string, intoUrl: string): Promise<void> {
  return withDatabase(fromUrl, (from) =>
    withDatabase(intoUrl, async (into) => {
      await into.query('begin')
      // No trigger and no foreign key: the rows are as somebody else's triggers have left them.
      await into.query('set local session_replication_role = replica')
      const tables = await tablesIn(into)
      for (const table of tables) await into.query(`delete from ${table}`)
      for (const table of tables) await copyTable(from, into, table)
      await into.query('commit')
    }),
  )
}

async function copyTable(from: Client, into: Client, table: string): Promise<void> {
  const { rows } = await from.query<{ row: Record<string, unknown> }>(
    `select to_jsonb(t) as row from ${table} as t`,
  )
  const [first] = rows
  if (first === undefined) return
  const known = (await columnsOf(into, table)).map(({ name }) => name).filter((name) => name in first.row)
  const list = known.map(escapeIdentifier).join(', ')
  const rest = await theRest(into, table, known)
  await into
    .query(
      `insert into ${table} (${list}${rest.columns})
       select ${list}${rest.values('row')}
       from (select r.*, row_number() over () as row from jsonb_populate_recordset(null::${table}, $1) as r) as r`,
      [JSON.stringify(rows.map(({ row }) => row))],
    )
    .catch((error: Error) => {
      throw new HealthyRowRefused(`${table} refuses the rows of a healthy ledger: ${error.message}`, {
        cause: error,
      })
    })
}

async function tablesIn(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    'select name from unnest($1::text[]) as name where to_regclass(name) is not null',
    [TABLES],
  )
  return rows.map(({ name }) => name)
}
