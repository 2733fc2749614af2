import { type ClientBase, escapeIdentifier, escapeLiteral } from 'pg'
import { z } from 'zod'
import { valuesOf } from './schema-change/values.ts'

const Columns = z.array(
  z.object({
    name: z.string(),
    type: z.string(),
    /** The first label, of an enum. */
    label: z.string().nullable(),
    /** It has no default, and takes no null. */
    isNeeded: z.boolean(),
    isUnique: z.boolean(),
    /** The CHECKs of this column alone. */
    checks: z.array(z.string()),
  }),
)
export type Column = z.infer<typeof Columns>[number]

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

export async function columnsOf(client: ClientBase, table: string): Promise<Column[]> {
  return Columns.parse((await client.query(COLUMNS, [table])).rows)
}

/**
 * What a row needs beside the columns that are given: somebody else's table may have more than the ones we know. Both
 * texts begin with a comma, or are empty.
 *
 */
export async function theRest(
  client: ClientBase,
  table: string,
  given: readonly string[],
): Promise<{ columns: string; values: Expression }> {
  const needed = (await columnsOf(client, table)).filter(
    ({ name, isNeeded }) => isNeeded && !given.includes(name),
  )
  const choices = await Promise.all(needed.map((column) => expressionsFor(table, column)))
  return {
    columns: needed.map(({ name }) => `, ${escapeIdentifier(name)}`).join(''),
    values: (row) => choices.map(([expression]) => `, ${expression?.(row)}`).join(''),
  }
}

/** SQL for a row, given its number, or the name of a column that holds that. */
type Expression = (row: number | string) => string

/** Expressions of which a table may take the first or a later one. */
export async function expressionsFor(table: string, column: Column): Promise<readonly Expression[]> {
  const lists = await Promise.all(column.checks.map(valuesOf))
  const allowed = lists.find((list) => list !== undefined)
  if (allowed !== undefined) return allowed.map((value) => () => `${escapeLiteral(value)}::${column.type}`)
  return [(row) => expressionOf(table, column, row)]
}

function expressionOf(table: string, { name, type, label, isUnique }: Column, row: number | string): string {
  const user = table === 'auth.users' ? 'id' : 'user_id'
  if (name === user && type === 'uuid') return `md5('user' || ${row})::uuid`
  if (label !== null) return `${escapeLiteral(label)}::${type}`
  if (type === 'uuid') return `md5(${escapeLiteral(`${table}.${name}`)} || ${row})::uuid`
  if (type.endsWith('[]')) return `'{}'::${type}`
  if (/^(integer|bigint|smallint|numeric|real|double precision)/.test(type)) {
    return isUnique ? `${row}::${type}` : `1::${type}`
  }
  if (/^jsonb?$/.test(type)) return `'{}'::${type}`
  if (type === 'boolean') return 'false'
  if (/^(timestamp|date)/.test(type)) return `now()::${type}`
  if (/^interval/.test(type)) return `'0'::${type}`
  return isUnique ? `('x' || ${row})::${type}` : `'x'::${type}`
}
