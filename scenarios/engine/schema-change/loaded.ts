import { type ClientBase, escapeIdentifier } from 'pg'
import { withDatabase } from '../../../fixtures/postgres/connection.ts'
import { APP_TABLES } from '../app-tables.ts'
import { columnsOf, expressionsFor } from '../made-up.ts'
import { LOADED_ROWS } from './locks.ts'

/**
 * Fills each table that the app writes with so many rows, one a user: defaults where there are, else any value
 * that its type and CHECKs take. What could not be filled, a line each.
 */
export function load(databaseUrl: string, rows = LOADED_ROWS): Promise<string[]> {
  return withDatabase(databaseUrl, async (client) => {
    const problems: string[] = []
    // No trigger does its work a hundred thousand times, and no foreign key is asked.
    await client.query('set session_replication_role = replica')
    for (const table of APP_TABLES) {
      const { rows: found } = await client.query('select to_regclass($1) is not null as there', [table])
      if (!found[0].there) continue
      await fill(client, table, rows).catch((error: Error) => {
        problems.push(
          `${table} could not be filled, so that what locks do to it was not seen: ${error.message}`,
        )
      })
    }
    await client.query('analyze')
    return problems
  })
}

async function fill(client: ClientBase, table: string, rows: number): Promise<void> {
  const columns = await columnsOf(client, table)
  const given = columns.filter(({ name, isNeeded }) => isNeeded || name === 'id' || name === 'user_id')
  const choices = await Promise.all(given.map((column) => expressionsFor(table, column)))
  const attempts = Math.max(...choices.map(({ length }) => length))
  // A constraint over several columns may refuse some of the values that a list allows: a grant needs a key, say.
  for (let attempt = 0; attempt < attempts; attempt++) {
    const values = choices.map((list) => list[attempt % list.length]?.('n'))
    const insert = client.query(
      `insert into ${table} (${given.map(({ name }) => escapeIdentifier(name)).join(', ')}) overriding system value
       select ${values.join(', ')} from generate_series(1, ${rows}) as n`,
    )
    const refused = await insert.then(
      () => undefined,
      (error: Error) => error,
    )
    if (refused === undefined) return
    if (attempt === attempts - 1) throw refused
  }
}
