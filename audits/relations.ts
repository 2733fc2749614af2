import type { Invariant } from './catalogue.ts'
import { parse } from './parser.ts'

/** The tables and views that rules read, with their schema, each with the rules that read it. */
export async function relationsOf(
  rules: readonly Invariant[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const readers = new Map<string, string[]>()
  for (const { id, sql, population } of rules) {
    const found = new Set<string>()
    for (const text of [sql, population]) collect(await parse(text), found)
    for (const name of found) readers.set(name, [...(readers.get(name) ?? []), id])
  }
  return readers
}

function collect(value: unknown, found: Set<string>): void {
  if (Array.isArray(value)) {
    for (const item of value) collect(item, found)
    return
  }
  if (typeof value !== 'object' || value === null) return
  for (const [key, child] of Object.entries(value)) {
    const { schemaname, relname } = (key === 'RangeVar' ? child : {}) as Record<string, unknown>
    // Postgres' own catalogue is there for everybody, and a name without schema is a common table expression.
    if (typeof schemaname === 'string' && schemaname !== 'pg_catalog') found.add(`${schemaname}.${relname}`)
    collect(child, found)
  }
}
