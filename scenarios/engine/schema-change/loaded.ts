import { Client, type ClientBase, escapeIdentifier, escapeLiteral } from 'pg'
import { z } from 'zod'
import { LOADED_ROWS } from './locks.ts'
import { valuesOf } from './values.ts'

/** What the app writes while a migration runs, what is referred to first. */
const TABLES = [
  'auth.users',
  'public.user_profiles',
  'public.customer_subscriptions',
  'public.payment_history',
  'public.token_transactions',
  'public.token_drips',
  'public.token_usage',
]

const Columns = z.array(
  z.object({
    name: z.string(),
    type: z.string(),
    /** The first label, of an enum. */
    label: z.string().nullable(),
    isNeeded: z.boolean(),
    isUnique: z.boolean(),
    checks: z.array(z.string()),
  }),
)
type Column = z.infer<typeof Columns>[number]

const COLUMNS = `
  select a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
    (select e.enumlabel::text from pg_catalog.pg_enum as e where e.enumtypid = a.atttypid order by e.enumsortorder limit 1)
      as label,
    a.attnotnull and not a.atthasdef and a.attidentity = '' as "isNeeded",
    exists (
      select from pg_catalog.pg_index as i
      where i.indrelid = a.attrelid and i.indisunique and a.attnum = any (i.indkey)) as "isUnique",
    array(
      select pg_get_constraintdef(k.oid) from pg_catalog.pg_constraint as k
      where k.conrelid = a.attrelid and k.contype = 'c' and k.conkey = array[a.attnum] order by k.conname) as checks
  from pg_catalog.pg_attribute as a
  where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
  order by a.attnum`

/**
 * Fills each table that the app writes with `LOADED_ROWS` rows, one a user: defaults where there are, else any value
 * that its type and CHECKs take. What could not be filled, a line each.
 */
export async function load(databaseUrl: string): Promise<string[]> {
  const client = new Client({ connectionString: databaseUrl })
  client.on('error', () => {})
  await client.connect()
  const problems: string[] = []
  try {
    // No trigger does its work a hundred thousand times, and no foreign key is asked.
    await client.query('set session_replication_role = replica')
    for (const table of TABLES) {
      const { rows } = await client.query('select to_regclass($1) is not null as there', [table])
      if (!rows[0].there) continue
      await fill(client, table).catch((error: Error) => {
        problems.push(
          `${table} could not be filled, so that what locks do to it was not seen: ${error.message}`,
        )
      })
    }
    await client.query('analyze')
    return problems
  } finally {
    await client.end()
  }
}

async function fill(client: ClientBase, table: string): Promise<void> {
  const columns = Columns.parse((await client.query(COLUMNS, [table])).rows)
  const given = columns.filter(({ name, isNeeded }) => isNeeded || name === 'id' || name === 'user_id')
  const choices = await Promise.all(given.map((column) => expressionsFor(table, column)))
  const attempts = Math.max(...choices.map(({ length }) => length))
  // A constraint over several columns may refuse some of the values that a list allows: a grant needs a key, say.
  for (let attempt = 0; attempt < attempts; attempt++) {
    const values = choices.map((list) => list[attempt % list.length])
    const insert = client.query(
      `insert into ${table} (${given.map(({ name }) => escapeIdentifier(name)).join(', ')}) overriding system value
       select ${values.join(', ')} from generate_series(1, ${LOADED_ROWS}) as n`,
    )
    const refused = await insert.then(
      () => undefined,
      (error: Error) => error,
    )
    if (refused === undefined) return
    if (attempt === attempts - 1) throw refused
  }
}

/** Expressions over `n`, the number of the row, of which a table may take the first or a later one. */
async function expressionsFor(table: string, column: Column): Promise<readonly string[]> {
  const lists = await Promise.all(column.checks.map(valuesOf))
  const allowed = lists.find((list) => list !== undefined)
  if (allowed !== undefined) return allowed.map((value) => `${escapeLiteral(value)}::${column.type}`)
  return [expressionOf(table, column)]
}

function expressionOf(table: string, { name, type, label, isUnique }: Column): string {
  const user = table === 'auth.users' ? 'id' : 'user_id'
  if (name === user && type === 'uuid') return `md5('user' || n)::uuid`
  if (label !== null) return `${escapeLiteral(label)}::${type}`
  if (type === 'uuid') return `md5(${escapeLiteral(`${table}.${name}`)} || n)::uuid`
  if (/^(integer|bigint|smallint|numeric|real|double precision)/.test(type))
    return isUnique ? `n::${type}` : `1::${type}`
  if (/^jsonb?$/.test(type)) return `'{}'::${type}`
  if (type === 'boolean') return 'false'
  if (/^(timestamp|date)/.test(type)) return `now()::${type}`
  return isUnique ? `('x' || n)::${type}` : `'x'::${type}`
}
