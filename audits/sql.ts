import type { FileProblem } from './header.ts'
import { hasSqlDetails, parse } from './parser.ts'

/** What is known about a query before any database has seen it. */
export interface QueryReading {
  /** Names of the result columns; null where a column has none. */
  readonly columns: readonly (string | null)[]
  /** Built-in functions that it calls. */
  readonly functions: readonly string[]
  /** Settings that it reads with current_setting(). */
  readonly settings: readonly string[]
  /** Whether it reads a table or a view. */
  readonly readsTable: boolean
  readonly problems: readonly FileProblem[]
}

/** The settings that the runner gives to every rule. */
export const RULE_SETTINGS = ['audit.as_of', 'audit.horizon', 'audit.evidence'] as const

/** The settings that it gives to every screen. */
export const SCREEN_SETTINGS = ['audit.as_of', 'audit.seed'] as const

/**
 * Clocks, chance, and what reaches outside the query. The session refuses every volatile function by asking the
 * server; these are named here because they can be told without one, and the clocks because they count as stable.
 */
const FORBIDDEN_FUNCTIONS = new Map<string, string>([
  ...['now', 'transaction_timestamp', 'statement_timestamp', 'clock_timestamp', 'timeofday'].map(
    (name) =>
      [
        name,
        "reads the clock; time is current_setting('audit.as_of') and current_setting('audit.horizon')",
      ] as const,
  ),
  ...['random', 'random_normal', 'setseed', 'gen_random_uuid'].map(
    (name) => [name, 'is random; the same database must get the same verdict'] as const,
  ),
  ...['set_config', 'nextval', 'setval', 'pg_notify', 'lo_import', 'lo_export'].map(
    (name) => [name, 'changes something; a rule only reads'] as const,
  ),
  ...['pg_sleep', 'pg_sleep_for', 'pg_sleep_until', 'pg_terminate_backend', 'pg_cancel_backend'].map(
    (name) => [name, 'has no place in a rule'] as const,
  ),
])

const WRITES = new Set(['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt'])
const FLOATS = new Set(['float4', 'float8'])
/** What Postgres takes for a time by its clock, in any text that becomes one: 'today', 'tomorrow 04:05 UTC', '[now,]'. */
const CLOCK_WORDS = /\b(now|today|tomorrow|yesterday)\b/gi
const BESIDE_CLOCK_WORDS = /\b(allballs|am|pm|utc|gmt|z)\b|[^a-z]/gi

type Node = { readonly [key: string]: unknown }

/**
 * Reads one query with Postgres' own parser, alone and therefore before it is wrapped: what is one select by itself
 * can't close the runner's parenthesis.
 *
 * @param sql the text; `line` is the line of the file on which it begins
 * @param settings that it may read
 */
export async function readQuery(
  sql: string,
  line = 1,
  settings: readonly string[] = RULE_SETTINGS,
): Promise<QueryReading> {
  const nothing = { columns: [], functions: [], settings: [], readsTable: false }
  const fail = (at: number, text: string): QueryReading => ({ ...nothing, problems: [{ line: at, text }] })
  const zero = sql.indexOf('\0')
  if (zero >= 0) {
    // The parser, like the protocol, would take it for the end of the text.
    return fail(line + lineBreaks(sql.slice(0, zero)), 'a zero byte')
  }
  if (sql.trim() === '') {
    return fail(line, 'there is no query')
  }
  const parsed = await parseAll(sql)
  if ('text' in parsed) {
    return fail(line + lineBreaks(sql.slice(0, parsed.position)), parsed.text)
  }
  const lineOf = byteLines(sql, line)
  const [first, second] = parsed.statements
  if (first === undefined) {
    return fail(line, 'there is no query')
  }
  if (second !== undefined) {
    return fail(lineOf(number(second.stmt_location)), 'a second statement; a file holds exactly one select')
  }
  if (first.stmt_len !== undefined) {
    return fail(
      lineOf(number(first.stmt_location) + number(first.stmt_len)),
      'a semicolon; leave it out, the query is used as a sub-select',
    )
  }
  const statement = node(first.stmt)
  const select = node(statement?.SelectStmt)
  if (select === undefined) {
    return fail(line, `not a select: ${Object.keys(statement ?? {})[0] ?? 'nothing'}`)
  }
  const walk = new Walk(lineOf, settings)
  walk.topLevel(select)
  walk.visit(statement)
  return {
    columns: columnNames(select),
    functions: [...walk.functions],
    settings: [...walk.settings],
    readsTable: walk.readsTable,
    problems: walk.problems,
  }
}

/** Checks that a text is SQL, and tells its statements' kinds, e.g. `UpdateStmt`. */
export async function readStatements(
  sql: string,
  line = 1,
): Promise<{ kinds: readonly string[]; problems: readonly FileProblem[] }> {
  if (sql.trim() === '') {
    return { kinds: [], problems: [{ line, text: 'there is no statement' }] }
  }
  const parsed = await parseAll(sql)
  if ('text' in parsed) {
    return {
      kinds: [],
      problems: [{ line: line + lineBreaks(sql.slice(0, parsed.position)), text: parsed.text }],
    }
  }
  return { kinds: parsed.statements.map((raw) => Object.keys(node(raw.stmt) ?? {})[0] ?? ''), problems: [] }
}

class Walk {
  readonly problems: FileProblem[] = []
  readonly functions = new Set<string>()
  readonly settings = new Set<string>()
  readsTable = false
  readonly #ctes = new Set<string>()
  readonly #lineOf: (location: number) => number
  readonly #given: readonly string[]
  /** Of the nearest node that has one, counting inwards. */
  #location = 0

  constructor(lineOf: (location: number) => number, given: readonly string[]) {
    this.#lineOf = lineOf
    this.#given = given
  }

  topLevel(select: Node): void {
    if (select.limitCount !== undefined || select.limitOffset !== undefined) {
      this.#problem(select, 'limit or offset on the whole query: the number of violations would be a lie')
    }
    this.#collectCtes(select)
  }

  visit(value: unknown): void {
    if (Array.isArray(value)) {
      for (const item of value) {
        this.visit(item)
      }
      return
    }
    const here = node(value)
    if (here === undefined) {
      return
    }
    const before = this.#location
    if (typeof here.location === 'number' && here.location >= 0) {
      this.#location = here.location
    }
    for (const [key, child] of Object.entries(here)) {
      this.#look(key, child)
      this.visit(child)
    }
    this.#location = before
  }

  #look(key: string, value: unknown): void {
    const here = node(value)
    if (here === undefined) {
      return
    }
    if (WRITES.has(key)) {
      this.#problem(here, `a write (${key.replace('Stmt', '').toLowerCase()}); a rule only reads`)
    }
    switch (key) {
      case 'SelectStmt':
        if (here.intoClause !== undefined) {
          this.#problem(here, 'a write (select into); a rule only reads')
        }
        if (here.lockingClause !== undefined) {
          this.#problem(here, 'for update or for share; a rule takes no locks')
        }
        break
      case 'ColumnRef':
        // What a CTE hands on with t.* is named further up; a bare star hands on what nobody has named.
        if (
          Array.isArray(here.fields) &&
          here.fields.length === 1 &&
          'A_Star' in (node(here.fields[0]) ?? {})
        ) {
          this.#problem(here, 'select *; name the columns')
        }
        break
      case 'ParamRef':
        this.#problem(here, 'a parameter ($1); a rule reads settings, it takes no parameters')
        break
      case 'RangeTableSample':
        this.#problem(here, 'tablesample; a rule looks at all rows')
        break
      case 'SQLValueFunction':
        this.#problem(
          here,
          `${String(here.op).replace('SVFOP_', '').toLowerCase()}; a rule knows no clock but current_setting('audit.as_of'), and no user`,
        )
        break
      case 'RangeVar':
        this.#table(here)
        break
      case 'FuncCall':
        this.#function(here)
        break
      case 'typeName':
      case 'TypeName':
        this.#type(here)
        break
      case 'A_Const':
        this.#constant(here)
        break
      case 'A_Expr':
        this.#operator(here, here.name)
        break
      case 'SubLink':
        this.#operator(here, here.operName)
        break
      case 'SortBy':
        this.#operator(here, here.useOp)
        break
    }
  }

  #table(range: Node): void {
    const name = String(range.relname)
    if (range.schemaname !== undefined) this.readsTable = true
    if (range.schemaname === undefined && !this.#ctes.has(name)) {
      this.#problem(range, `"${name}" has no schema; write public.${name}`)
    }
  }

  #function(call: Node): void {
    const names = strings(call.funcname)
    const name = names.at(-1) ?? ''
    if (names.length > 1 && names[0] !== 'pg_catalog') {
      this.#problem(
        call,
        `${names.join('.')}() is not built in; a rule calls nothing that the database defines`,
      )
      return
    }
    const why = FORBIDDEN_FUNCTIONS.get(name)
    if (why !== undefined) {
      this.#problem(call, `${name}() ${why}`)
      return
    }
    if (name === 'age' && Array.isArray(call.args) && call.args.length === 1) {
      this.#problem(call, "age() of one time reads the clock; give it current_setting('audit.as_of') as well")
      return
    }
    this.functions.add(name)
    if (name === 'current_setting') {
      this.#setting(call)
    }
  }

  #setting(call: Node): void {
    const setting = text(Array.isArray(call.args) ? call.args[0] : undefined)
    if (setting === undefined || !this.#given.includes(setting)) {
      this.#problem(call, `current_setting(${setting ?? '…'}); the runner gives ${this.#given.join(', ')}`)
      return
    }
    this.settings.add(setting)
  }

  #type(type: Node): void {
    const name = strings(type.names).at(-1) ?? ''
    if (FLOATS.has(name)) {
      this.#problem(type, `${name} is inexact; use numeric`)
    }
  }

  #constant(constant: Node): void {
    const said = node(constant.sval)?.sval
    if (typeof said !== 'string') return
    const rest = said.replaceAll(CLOCK_WORDS, '')
    if (rest !== said && rest.replaceAll(BESIDE_CLOCK_WORDS, '') === '') {
      this.#problem(constant, `'${said}' reads the clock; time is current_setting('audit.as_of')`)
    }
  }

  #operator(at: Node, name: unknown): void {
    const names = strings(name)
    if (names.length > 1 && names[0] !== 'pg_catalog') {
      this.#problem(
        at,
        `operator(${names.join('.')}) is not built in; a rule calls nothing that the database defines`,
      )
    }
  }

  /** A name without schema may be any CTE of the file: out of its scope it fails on the server, search_path is empty. */
  #collectCtes(value: unknown): void {
    if (Array.isArray(value)) {
      value.forEach((item) => {
        this.#collectCtes(item)
      })
      return
    }
    for (const [key, child] of Object.entries(node(value) ?? {})) {
      if (key === 'ctename') {
        this.#ctes.add(String(child))
      }
      this.#collectCtes(child)
    }
  }

  #problem(at: Node, text: string): void {
    this.problems.push({ line: this.#lineOf(firstLocation(at) ?? this.#location), text })
  }
}

/** Statements have no place of their own, but their parts have. */
function firstLocation(value: unknown): number | undefined {
  if (Array.isArray(value)) return value.map(firstLocation).find((location) => location !== undefined)
  const here = node(value)
  if (here === undefined) return undefined
  return typeof here.location === 'number' && here.location >= 0
    ? here.location
    : firstLocation(Object.values(here))
}

interface Parsed {
  readonly statements: readonly Node[]
}

interface NotParsed {
  readonly text: string
  readonly position: number
}

async function parseAll(sql: string): Promise<Parsed | NotParsed> {
  try {
    const tree = node(await parse(sql))
    const statements = Array.isArray(tree?.stmts) ? tree.stmts : []
    return { statements: statements.map((statement) => node(statement) ?? {}) }
  } catch (error) {
    if (error instanceof Error && hasSqlDetails(error)) {
      return { text: error.sqlDetails.message, position: error.sqlDetails.cursorPosition }
    }
    throw error
  }
}

/** Names as they will stand in the result. Only those that are written down: no guessing of Postgres' defaults. */
function columnNames(select: Node): (string | null)[] {
  let leftmost = select
  for (let left = node(leftmost.larg); left !== undefined; left = node(leftmost.larg)) {
    leftmost = left
  }
  const targets = Array.isArray(leftmost.targetList) ? leftmost.targetList : []
  return targets.map((item) => {
    const target = node(node(item)?.ResTarget)
    const column = node(node(target?.val)?.ColumnRef)
    return typeof target?.name === 'string' ? target.name : (strings(column?.fields).at(-1) ?? null)
  })
}

function node(value: unknown): Node | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Node) : undefined
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

function strings(value: unknown): string[] {
  return (Array.isArray(value) ? value : []).flatMap((item) => {
    const name = node(node(item)?.String)?.sval
    return typeof name === 'string' ? [name] : []
  })
}

/** The text of a string constant. */
function text(value: unknown): string | undefined {
  const constant = node(node(node(value)?.A_Const)?.sval)
  return typeof constant?.sval === 'string' ? constant.sval : undefined
}

function lineBreaks(text: string): number {
  return text.split('\n').length - 1
}

/** The parser counts in bytes. A statement begins where the one before it ended: its blank lines are skipped. */
function byteLines(sql: string, line: number): (location: number) => number {
  const bytes = Buffer.from(sql)
  return (location) => {
    const rest = bytes.subarray(location).toString()
    const blank = rest.length - rest.trimStart().length
    return line + lineBreaks(bytes.subarray(0, location).toString()) + lineBreaks(rest.slice(0, blank))
  }
}
