import { parse } from './parser.ts'

type Node = { readonly [key: string]: unknown }

/** Aggregates of one table, all computed in one scan of it. */
export interface Scan {
  /** With its schema. */
  readonly table: string
  /** Its name in the aggregates; undefined as long as none needs one. */
  alias: string | undefined
  /** Aggregates with their filters, as texts; each is a column of the scan, named by `columnOf` its place. */
  readonly aggregates: string[]
}

/**
 * The screen of a rule that is one plain select over one table: that no row passes its own where clause. Taken from
 * the rule's text, and parsed again: the clause is the rule's own, or there is no screen.
 *
 * @returns undefined for a rule of another form, which has to declare its screen
 */
export async function rowScreen(sql: string): Promise<{ sql: string } | undefined> {
  const select = await onlySelect(sql)
  const table = select && onlyTable(select, sql)
  if (select === undefined || table === undefined || !isPlain(select) || select.whereClause === undefined) {
    return undefined
  }
  const grouped = Array.isArray(select.groupClause)
  if (grouped ? contains(select.groupClause, isGroupingSet) : contains(select.targetList, isAggregate)) {
    return undefined
  }
  const top = tokens(sql).filter(({ start, depth }) => depth === 0 && start >= table.location)
  const where = top.find(({ text }) => isWord(text, 'where'))
  if (where === undefined) return undefined
  const end = top.find(({ start, text }) => start > where.end && isWord(text, 'group'))?.start ?? sql.length
  const from = sql.slice(table.location, where.start).trim()
  const count = `select count(*) from ${from} where ${sql.slice(where.end, end).trim()}\n`
  const again = await onlySelect(count).catch(() => undefined)
  return again && same(again.whereClause, select.whereClause) && same(again.fromClause, select.fromClause)
    ? { sql: `select 0 = (${count}) as clear` }
    : undefined
}

/**
 * What a screen of the form `select guard or check as clear` asks first, and alone: a yes makes the check superfluous,
 * and with it the scan.
 */
export function guardOf(screen: string): string | undefined {
  const [first, ...rest] = tokens(screen).filter(({ depth }) => depth === 0)
  const or = rest.find(({ text }) => isWord(text, 'or'))
  return first !== undefined && isWord(first.text, 'select') && or !== undefined
    ? screen.slice(first.end, or.start).trim()
    : undefined
}

/**
 * Takes out of an expression each `(select aggregate from one table where …)`, adds it to the scan of that table, and
 * leaves a reference in its place. What has another form stays as it is.
 *
 * @param scans is added to
 */
export async function takeOutScans(expression: string, scans: Scan[]): Promise<string> {
  const all = tokens(expression)
  let rest = ''
  let done = 0
  for (const [index, token] of all.entries()) {
    const next = all[index + 1]
    if (token.text !== '(' || token.start < done || !isWord(next?.text ?? '', 'select')) continue
    const close = all.find(
      ({ text, start, depth }) => text === ')' && start > token.start && depth === token.depth,
    )
    if (close === undefined) continue
    const found = await readScan(expression.slice(token.end, close.start))
    if (found === undefined) continue
    rest += `${expression.slice(done, token.start)}${addTo(scans, found)}`
    done = close.end
  }
  return rest + expression.slice(done)
}

function addTo(scans: Scan[], { table, alias, aggregate }: Found): string {
  let at = scans.findIndex(
    (scan) =>
      scan.table === table && (alias === undefined || scan.alias === undefined || scan.alias === alias),
  )
  if (at < 0) at = scans.push({ table, alias, aggregates: [] }) - 1
  const scan = scans[at] as Scan
  scan.alias ??= alias
  let column = scan.aggregates.indexOf(aggregate)
  if (column < 0) column = scan.aggregates.push(aggregate) - 1
  return `${nameOf(at)}.${columnOf(column)}`
}

/** The name of a scan, by its place. */
export const nameOf = (scan: number): string => `scan_${scan + 1}`

/** The name of a scan's column, by its place. */
export const columnOf = (aggregate: number): string => `c${aggregate + 1}`

interface Found {
  readonly table: string
  readonly alias: string | undefined
  readonly aggregate: string
}

async function readScan(sql: string): Promise<Found | undefined> {
  const select = await onlySelect(sql).catch(() => undefined)
  const table = select && onlyTable(select, sql)
  const targets = Array.isArray(select?.targetList) ? select.targetList : []
  const call = node(node(node(node(targets[0])?.ResTarget)?.val)?.FuncCall)
  if (
    select === undefined ||
    table === undefined ||
    !isPlain(select) ||
    select.groupClause !== undefined ||
    targets.length !== 1 ||
    call === undefined ||
    !isAggregate(call) ||
    call.agg_filter !== undefined ||
    call.over !== undefined ||
    contains(select, isSearch) ||
    !ownColumns(select)
  ) {
    return undefined
  }
  const top = tokens(sql).filter(({ depth }) => depth === 0)
  const where = top.find(({ start, text }) => start > table.location && isWord(text, 'where'))
  const aggregate = sql.slice(placeOf(call, sql), top.findLast(isFrom(table.location))?.start).trim()
  const filter = where === undefined ? '' : ` filter (where ${sql.slice(where.end).trim()}\n)`
  return {
    table: table.name,
    alias: table.alias,
    aggregate: `${aggregate}${filter}`,
  }
}

const isFrom =
  (before: number) =>
  ({ start, text }: Token): boolean =>
    start < before && isWord(text, 'from')

const AGGREGATES = new Set([
  ...['count', 'sum', 'min', 'max', 'avg', 'bool_and', 'bool_or', 'every', 'bit_and', 'bit_or', 'bit_xor'],
  ...['array_agg', 'string_agg', 'any_value', 'json_agg', 'jsonb_agg', 'json_object_agg', 'jsonb_object_agg'],
  ...['percentile_cont', 'percentile_disc', 'mode', 'range_agg', 'stddev', 'variance'],
])

/** One table, no other clause than from, where and group by. */
function isPlain(select: Node): boolean {
  const others = [
    'withClause',
    'havingClause',
    'distinctClause',
    'windowClause',
    'limitCount',
    'limitOffset',
    'sortClause',
  ]
  return select.op === 'SETOP_NONE' && others.every((clause) => select[clause] === undefined)
}

async function onlySelect(sql: string): Promise<Node | undefined> {
  const statements = node(await parse(sql))?.stmts
  const [first, second] = Array.isArray(statements) ? statements : []
  return second === undefined ? node(node(node(first)?.stmt)?.SelectStmt) : undefined
}

function onlyTable(
  select: Node,
  sql: string,
): { name: string; alias: string | undefined; location: number } | undefined {
  const from = Array.isArray(select.fromClause) ? select.fromClause : []
  const table = node(node(from[0])?.RangeVar)
  if (from.length !== 1 || table?.schemaname === undefined || typeof table.location !== 'number')
    return undefined
  const alias = node(table.alias)?.aliasname
  return {
    name: `${table.schemaname}.${table.relname}`,
    alias: typeof alias === 'string' ? alias : undefined,
    location: placeOf(table, sql),
  }
}

/** The parser counts in bytes. */
function placeOf({ location }: Node, sql: string): number {
  return Buffer.from(sql).subarray(0, Number(location)).toString().length
}

function isAggregate(call: Node): boolean {
  const names = Array.isArray(call.funcname) ? call.funcname : []
  const name = node(node(names.at(-1))?.String)?.sval
  return call.agg_star === true || (typeof name === 'string' && AGGREGATES.has(name))
}

/** `in (select …)` and `exists`, which a filter would ask anew for every row: left where they are, they are joins. */
const isSearch = ({ SubLink: link }: Node): boolean =>
  link !== undefined && node(link)?.subLinkType !== 'EXPR_SUBLINK'

const isGroupingSet = (value: Node): boolean => 'GroupingSet' in value

/**
 * Whether each column with a table's name before it is of a table of this query, and of none around it. One without
 * is of this query's table, or the server refuses it.
 */
function ownColumns(select: Node): boolean {
  const names = new Set<unknown>()
  contains(select, ({ RangeVar: range }) => {
    if (range !== undefined) names.add(node(node(range)?.alias)?.aliasname ?? node(range)?.relname)
    return false
  })
  return !contains(select, ({ ColumnRef: column }) => {
    const fields = node(column)?.fields
    const [first, second] = Array.isArray(fields) ? fields : []
    return second !== undefined && !names.has(node(node(first)?.String)?.sval)
  })
}

function contains(value: unknown, wanted: (value: Node) => boolean): boolean {
  if (Array.isArray(value)) return value.some((item) => contains(item, wanted))
  const here = node(value)
  return here !== undefined && (wanted(here) || Object.values(here).some((child) => contains(child, wanted)))
}

/** Equal but for the places in their texts. */
function same(one: unknown, other: unknown): boolean {
  const plain = (value: unknown) =>
    JSON.stringify(value, (key, inner) => (key === 'location' ? undefined : inner))
  return plain(one) === plain(other)
}

interface Token {
  readonly text: string
  readonly start: number
  readonly end: number
  /** Of parentheses around it; a parenthesis has the depth of what is outside. */
  readonly depth: number
}

const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|[A-Za-z_][\w$]*|[()]/g

function tokens(sql: string): Token[] {
  const found: Token[] = []
  let depth = 0
  for (const match of sql.matchAll(TOKEN)) {
    const [text] = match
    if (text.startsWith('--') || text.startsWith('/*')) continue
    if (text === ')') depth--
    found.push({ text, start: match.index, end: match.index + text.length, depth })
    if (text === '(') depth++
  }
  return found
}

const isWord = (text: string, word: string): boolean => text.toLowerCase() === word

function node(value: unknown): Node | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Node) : undefined
}
