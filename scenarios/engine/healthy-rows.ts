import { Client, escapeIdentifier } from 'pg'
import type { Databases, Template } from '../../fixtures/postgres/databases.ts'
import type { EvidenceText } from './healthy.ts'
import { columnsOf, theRest } from './made-up.ts'

/** Everything that the app and the ledger write, what is referred to first. */
const TABLES = [
  'auth.users',
  'public.membership_tiers',
  'public.user_profiles',
  'public.customer_subscriptions',
  'public.payment_history',
  'public.token_transactions',
  'public.token_drips',
  'public.token_usage',
  'public.token_ledger_stage',
] as const

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

async function copyRows(fromUrl: string, intoUrl: string): Promise<void> {
  const from = new Client({ connectionString: fromUrl })
  const into = new Client({ connectionString: intoUrl })
  for (const client of [from, into]) {
    client.on('error', () => {})
    await client.connect()
  }
  try {
    await into.query('begin')
    // No trigger and no foreign key: the rows are as somebody else's triggers have left them.
    await into.query('set local session_replication_role = replica')
    const tables = await tablesIn(into)
    for (const table of tables) await into.query(`delete from ${table}`)
    for (const table of tables) await copyTable(from, into, table)
    await into.query('commit')
  } finally {
    await from.end()
    await into.end()
  }
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
    `select name from unnest($1::text[]) with ordinality as t (name, place)
     where to_regclass(name) is not null order by place`,
    [TABLES],
  )
  return rows.map(({ name }) => name)
}
