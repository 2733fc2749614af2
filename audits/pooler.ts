import type { Connection } from './connection.ts'

/**
 * Whether something between spreads one connection over several servers' backends, as poolers in transaction mode do:
 * while a second connection is in a transaction, the first must still have the backend that it had.
 *
 * @param open a second connection, closed afterwards
 */
export async function spreadsTransactions(
  connection: Connection,
  open: () => Promise<Connection>,
): Promise<boolean> {
  const before = await backendOf(connection)
  const second = await open()
  try {
    await second.query('begin transaction read only')
    const other = await backendOf(second)
    const after = await backendOf(connection)
    await second.query('rollback')
    return other === before || after !== before
  } finally {
    await second.close()
  }
}

async function backendOf(connection: Connection): Promise<string | null> {
  const { rows } = await connection.query('select pg_catalog.pg_backend_pid()')
  return rows[0]?.[0] ?? null
}
