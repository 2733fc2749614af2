import { parse } from 'libpg-query'
import type { Invariant } from './catalogue.ts'
import type { Connection } from './connection.ts'
import { SessionError } from './failure.ts'

/** What the screen of a rule showed. */
export interface Screened {
  /** The rule's select would find nothing. */
  readonly clear: boolean
  readonly population: number
}

/** A rule that looks at each row of one table alone: it finds something where this many rows fit is not 0. */
interface RowRule {
  readonly rule: Invariant
  /** `public.token_usage as u` */
  readonly table: string
  readonly where: string
}

/**
 * Runs the screens of rules, inside a transaction: one scan a table for all rules that look at its rows one by one.
 * A rule without a screen is not in the result.
 */
export async function screen(
  connection: Connection,
  rules: readonly Invariant[],
  _seeds: readonly string[],
): Promise<ReadonlyMap<string, Screened>> {
  const found = new Map<string, Screened>()
  const rowRules = (await Promise.all(rules.map(rowRuleOf))).flatMap((one) => one ?? [])
  for (const table of new Set(rowRules.map((one) => one.table))) {
    const here = rowRules.filter((one) => one.table === table)
    const counts = here.map(
      ({ rule, where }) =>
        `pg_catalog.count(*) filter (where (\n${where}\n)), ${rule.population === `select count(*) from ${table.split(' ')[0]}` ? 'pg_catalog.count(*)' : `(\n${rule.population}\n)`}`,
    )
    const { rows } = await connection.query(`select ${counts.join(',\n')} from ${table}`)
    const values = (rows[0] ?? []).map(Number)
    for (const [index, { rule }] of here.entries()) {
      const [violations, population] = values.slice(2 * index, 2 * index + 2)
      if (violations === undefined || population === undefined)
        throw new SessionError('a screen without a number')
      found.set(rule.id, { clear: violations === 0, population })
    }
  }
  return found
}

type Node = Readonly<Record<string, unknown>>

/** The screen that a rule has by its own text; undefined when it is more than one condition on one table's rows. */
async function rowRuleOf(rule: Invariant): Promise<RowRule | undefined> {
  const { stmts } = (await parse(rule.sql)) as { stmts?: readonly { stmt?: { SelectStmt?: Node } }[] }
  const select = stmts?.[0]?.stmt?.SelectStmt
  const from = select?.fromClause as readonly Node[] | undefined
  const range = from?.[0]?.RangeVar as
    | { schemaname?: string; relname: string; alias?: { aliasname: string } }
    | undefined
  if (select === undefined || range === undefined || from?.length !== 1 || select.whereClause === undefined)
    return undefined
  if (
    ['withClause', 'groupClause', 'havingClause', 'distinctClause', 'larg', 'limitCount'].some(
      (key) => key in select,
    )
  ) {
    return undefined
  }
  const table = `${range.schemaname}.${range.relname} as ${range.alias?.aliasname}`
  const [, where] = rule.sql.split(`\nfrom ${table}\nwhere `)
  return where === undefined ? undefined : { rule, table, where }
}
