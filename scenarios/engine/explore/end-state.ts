import { type Client, escapeIdentifier } from 'pg'

/**
 * What the tables hold, as text that is the same for two end states when no rule could tell them apart: ids that were
 * drawn are numbered, and so are the moments of the run, in their order. Everything else is as it is, what lies in the
 * future included.
 */
export class EndState {
  readonly #client: Client
  readonly #select: string

  /** @param client whose time zone is UTC */
  constructor(client: Client, tables: readonly (readonly [schema: string, name: string])[]) {
    this.#client = client
    this.#select = tables
      .map(([schema, name]) => {
        const table = `${escapeIdentifier(schema)}.${escapeIdentifier(name)}`
        return `select '${schema}.${name} ' || to_jsonb(t)::text as row from ${table} as t`
      })
      .join(' union all ')
  }

  /** @param since the moment when the run began, as jsonb prints it */
  async read(since: string): Promise<string> {
    const { rows } = await this.#client.query<{ row: string; now: string }>({
      name: 'end-state',
      text: `select row, to_jsonb(localtimestamp) #>> '{}' as now from (${this.#select}) as rows`,
    })
    return canonical(
      rows.map(({ row }) => row),
      { since, until: rows[0]?.now ?? since },
    )
  }
}

const MOMENT = /"(\d{4}-\d\d-\d\dT[\d:.]+)(?:\+00:00)?"/g
// A user's id is known before the run, and what is owed names it.
const DRAWN = /^(?<table>public\.\S+) \{"id": "(?<id>[0-9a-f-]{36})"/
const MADE = /"created_at": (?<moment>"[^"]+")/

/** @param rows each with its table, in any order */
export function canonical(
  rows: readonly string[],
  { since, until }: { readonly since: string; readonly until: string },
): string {
  const moments = rows.flatMap((row) => [...row.matchAll(MOMENT)].map(([, moment = '']) => moment))
  const ofTheRun = [...new Set(moments)].filter((moment) => moment >= since && moment <= until).sort()
  const numbers = new Map(ofTheRun.map((moment, index) => [moment, `"moment ${index}"`]))
  const told = rows.map((row) => {
    const { table, id } = DRAWN.exec(row)?.groups ?? {}
    const text = row.replaceAll(MOMENT, (moment, name: string) => numbers.get(name) ?? moment)
    return {
      id,
      text,
      masked: id === undefined ? text : text.replaceAll(id, 'id'),
      peers: `${table} ${MADE.exec(row)?.[0]}`,
    }
  })
  const sorted = told.toSorted((a, b) => (a.masked < b.masked ? -1 : 1))
  // Of two rows of one moment, a rule may take the one with the lesser id for the earlier.
  const ties = Map.groupBy(sorted, ({ peers }) => peers)
  const lines = sorted.map(({ id, text, peers }) => {
    const place = (ties.get(peers) ?? []).filter((other) => (other.id ?? '') < (id ?? '')).length
    return `${text} ${place}`
  })
  let state = lines.join('\n')
  for (const [number, { id }] of sorted.entries()) {
    if (id !== undefined) state = state.replaceAll(id, `id ${number}`)
  }
  return state
}
