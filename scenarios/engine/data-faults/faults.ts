import { type ClientBase, escapeIdentifier, escapeLiteral } from 'pg'
import { type Column, readColumns, TABLES, type TableName } from './columns.ts'
import { pickRows, type Row, readUsers } from './rows.ts'

/** One fault in one row. */
export interface DataFault {
  /** Such as `token_usage.tokens_used`; a table alone where the whole row is at fault. */
  readonly column: string
  /** Such as `one more`. */
  readonly kind: string
  /** The kind of row, such as `subscription_grant`. */
  readonly rowKind: string
  /** Says it all, and the same each time. */
  readonly name: string
  /** Run one after the other; the last one changes no row where the fault would change nothing. */
  readonly statements: readonly string[]
}

/** Every fault that the columns of this database and the rows in it allow. */
export async function dataFaults(client: ClientBase): Promise<readonly DataFault[]> {
  const columns = await readColumns(client)
  const another = await readUsers(client)
  const faults: DataFault[] = []
  for (const table of Object.keys(TABLES) as TableName[]) {
    const own = columns.filter((column) => column.table === table)
    for (const row of await pickRows(client, table)) {
      for (const column of own) faults.push(...columnFaults(column, row, another(row.userId)))
      faults.push(...rowFaults(table, own, row, another(row.userId)))
    }
  }
  return faults
}

/** What can be wrong with one value, by the type of its column. */
function columnFaults(column: Column, row: Row, otherUser: string): DataFault[] {
  const c = escapeIdentifier(column.name)
  const values: Record<string, string> = { null: 'null', ...valuesOf(column, c, otherUser) }
  const faults = Object.entries(values).map(([kind, value]) =>
    fault(row, column.name, kind, [set(row, c, value)]),
  )
  if (row.neighbour !== undefined && !column.isPrimary && column.name !== 'user_id') {
    faults.push(fault(row, column.name, 'swapped with a neighbour', swap(column, c, row, row.neighbour)))
  }
  return column.type === 'jsonb' ? [...faults, ...keyFaults(column, c, row)] : faults
}

/** Wrong values as SQL, by their names. */
function valuesOf(column: Column, c: string, otherUser: string): Record<string, string> {
  const { table, type, name, references, allowed, isPrimary } = column
  if (allowed.length > 0) {
    return Object.fromEntries(allowed.map((value) => [`becomes ${value}`, escapeLiteral(value)]))
  }
  if (isPrimary) return { 'another id': `'00000000-0000-4000-8000-000000000000'` }
  if (references === 'auth.users') return { 'another user': escapeLiteral(otherUser) }
  if (references !== null) {
    return {
      'another row': `(select r.id from ${references} as r where r.id <> t.${c} order by r.id limit 1)`,
    }
  }
  if (name === 'grant_key') return grantKeys(c)
  switch (type) {
    case 'integer':
    case 'bigint':
    case 'numeric':
      return { 'one more': `${c} + 1`, 'one less': `${c} - 1`, negated: `-${c}`, zero: '0' }
    case 'boolean':
      return { flipped: `not ${c}` }
    case 'timestamp with time zone':
    case 'timestamp without time zone':
      return Object.fromEntries(TIMES.map(([kind, by]) => [kind, `${c} ${by}`]))
    case 'text':
      return { changed: `${c} || 'x'`, "another row's": anotherRows(table, c) }
    case 'jsonb':
      return { emptied: `'{}'` }
    default:
      return {}
  }
}

const TIMES = [
  ['an hour earlier', `- interval '1 hour'`],
  ['an hour later', `+ interval '1 hour'`],
  ['a day earlier', `- interval '1 day'`],
  ['a day later', `+ interval '1 day'`],
] as const

/** The value of the first row that has another one. */
function anotherRows(table: TableName, value: string): string {
  return `(select ${value} from public.${table} as o where o.${value} <> t.${value} order by ${TABLES[table].order}, id limit 1)`
}

const KEYS = {
  checkout_session: 'cs_x',
  invoice: 'in_x',
  trial: 'sub_x',
  admin: 'x',
  subscription_period: 'sub_x:2026-01-01',
  legacy: 'token_usage:00000000-0000-4000-8000-000000000000',
  opening: `${'0'.repeat(64)}:1`,
}

/** Keys that the database takes for keys: of a fact that nobody knows, of other kinds, of another row. */
function grantKeys(c: string): Record<string, string> {
  const others = Object.entries(KEYS).map(([kind, id]) => [
    `becomes ${kind}`,
    `case when ${c} is null or split_part(${c}, ':', 1) <> '${kind}' then '${kind}:${id}' else ${c} end`,
  ])
  return {
    'of an unknown fact': `regexp_replace(${c}, '(:reset)?$', 'x\\1')`,
    "another row's": anotherRows('token_usage', c),
    'of a reset': `${c} || ':reset'`,
    ...Object.fromEntries(others),
  }
}

/** What can be wrong with one key of a document. */
function keyFaults(column: Column, c: string, row: Row): DataFault[] {
  return (row.keys[column.name] ?? []).flatMap((key) => {
    const k = escapeLiteral(key)
    const other = `(select o.${c} -> ${k} from public.${row.table} as o where o.${c} -> ${k} <> t.${c} -> ${k} order by ${TABLES[row.table].order}, id limit 1)`
    const changed = `case jsonb_typeof(${c} -> ${k})
      when 'number' then to_jsonb((${c} ->> ${k})::numeric + 1)
      when 'boolean' then to_jsonb(not (${c} ->> ${k})::boolean)
      else to_jsonb(coalesce(${c} ->> ${k}, '') || 'x') end`
    return Object.entries({
      removed: `${c} - ${k}`,
      changed: `jsonb_set(${c}, array[${k}], ${changed})`,
      "another row's": `coalesce(jsonb_set(${c}, array[${k}], ${other}), ${c})`,
    }).map(([kind, value]) => fault(row, `${column.name}.${key}`, kind, [set(row, c, value)]))
  })
}

/** What can be wrong with a whole row. */
function rowFaults(table: TableName, columns: readonly Column[], row: Row, otherUser: string): DataFault[] {
  const from = `from public.${table} as t where t.id = ${escapeLiteral(row.id)}`
  const doubled = (made: (column: Column, c: string) => string): string => {
    const names = columns.map(({ name }) => escapeIdentifier(name))
    const values = columns.map((column, at) =>
      column.isPrimary ? 'gen_random_uuid()' : made(column, names[at] as string),
    )
    return `insert into public.${table} (${names.join(', ')}) select ${values.join(', ')} ${from}`
  }
  const otherKey = ({ isUnique, type, name }: Column, c: string): string => {
    if (!isUnique || (type !== 'text' && type !== 'uuid')) return c
    return name === 'user_id'
      ? escapeLiteral(otherUser)
      : type === 'text'
        ? `regexp_replace(${c}, '(:reset)?$', 'x\\1')`
        : c
  }
  return [
    fault(row, undefined, 'deleted', [`delete ${from}`]),
    fault(row, undefined, 'doubled', [doubled((_, c) => c)]),
    fault(row, undefined, 'doubled under another key', [doubled(otherKey)]),
  ]
}

function set(row: Row, c: string, value: string): string {
  return `update public.${row.table} as t set ${c} = ${value} where t.id = ${escapeLiteral(row.id)} and t.${c} is distinct from (${value})`
}

/** Where a value may be there only once, one row steps aside first. */
function swap({ isUnique, type }: Column, c: string, row: Row, neighbour: string): string[] {
  const [a, b] = [escapeLiteral(row.id), escapeLiteral(neighbour)]
  const table = `public.${row.table}`
  const both = (first: string, second: string) =>
    `update ${table} as t set ${c} = case t.id when ${a} then ${first} else ${second} end
     from ${table} as x, ${table} as y
     where x.id = ${a} and y.id = ${b} and t.id in (x.id, y.id) and x.${c} is distinct from y.${c}`
  if (!isUnique || type !== 'text') return [both(`y.${c}`, `x.${c}`)]
  const aside = (id: string, by: string) => `update ${table} set ${c} = ${by} where id = ${id}`
  return [
    `create temp table swapped on commit drop as select x.${c} as of_a, y.${c} as of_b from ${table} as x, ${table} as y where x.id = ${a} and y.id = ${b}`,
    aside(a, `${c} || 'aside'`),
    aside(b, '(select of_a from swapped)'),
    `${aside(a, '(select of_b from swapped)')} and (select of_a is distinct from of_b from swapped)`,
  ]
}

function fault(row: Row, column: string | undefined, kind: string, statements: readonly string[]): DataFault {
  const where = column === undefined ? row.table : `${row.table}.${column}`
  return {
    column: where,
    kind,
    rowKind: row.kind,
    name: `${where} ${kind} (${row.kind}, ${row.place})`,
    statements,
  }
}
