import { type ClientBase, escapeIdentifier } from 'pg'
import { TABLES, type TableName } from './columns.ts'

/** A row that faults are put into. */
export interface Row {
  readonly table: TableName
  readonly id: string
  readonly userId: string
  /** What sort of row it is, such as its action type. */
  readonly kind: string
  /** Which of the rows of this kind. */
  readonly place: 'first' | 'middle' | 'last'
  /** The next row of the same user, or the one before the last. */
  readonly neighbour: string | undefined
  /** Its jsonb columns, and their keys. */
  readonly keys: Readonly<Record<string, readonly string[]>>
}

type Read = Omit<Row, 'table' | 'place' | 'neighbour'>

/** The first, the middle and the last row of each kind, as time orders them; what is one row is taken once. */
export async function pickRows(client: ClientBase, table: TableName): Promise<readonly Row[]> {
  const { order, kindOf } = TABLES[table]
  const { rows } = await client.query<Read>(
    `select t.id::text, t.user_id::text as "userId", ${kindOf} as kind,
       (select coalesce(jsonb_object_agg(c.key, array(select jsonb_object_keys(c.value))), '{}')
        from jsonb_each(to_jsonb(t)) as c where jsonb_typeof(c.value) = 'object') as keys
     from public.${escapeIdentifier(table)} as t
     order by t.${escapeIdentifier(order)}, t.user_id, t.id`,
  )
  const kinds = Map.groupBy(rows, ({ kind }) => kind)
  return [...kinds.values()].flatMap((ofKind) => {
    const places = new Map<Read | undefined, Row['place']>([
      [ofKind.at(-1), 'last'],
      [ofKind[Math.floor(ofKind.length / 2)], 'middle'],
      [ofKind[0], 'first'],
    ])
    return ofKind.flatMap((row) => {
      const place = places.get(row)
      return place === undefined ? [] : [{ ...row, table, place, neighbour: neighbourOf(row, rows) }]
    })
  })
}

function neighbourOf(row: Read, rows: readonly Read[]): string | undefined {
  const own = rows.filter(({ userId }) => userId === row.userId)
  const at = own.indexOf(row)
  return (own[at + 1] ?? own[at - 1])?.id
}

/** The user after another one, as their ids are ordered; after the last one the first. */
export async function readUsers(client: ClientBase): Promise<(userId: string) => string> {
  const { rows } = await client.query<{ id: string }>('select id::text from auth.users order by id')
  const ids = rows.map(({ id }) => id)
  return (userId) => ids[(ids.indexOf(userId) + 1) % ids.length] ?? userId
}
