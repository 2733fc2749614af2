import type { ClientBase } from 'pg'
import type { AppUnderTest } from './app-under-test.ts'

/** What a pool opens because several want one at once, it has opened after fewer steps. */
const RISES = 6

/** Counts an app's connections to Postgres: one that opens more and more, and closes none, will have none left. */
export class Connections {
  readonly #app: AppUnderTest
  #open = 0
  #rises = 0

  constructor(app: AppUnderTest) {
    this.#app = app
  }

  /** How many there are now. `client` is one of ours on the app's database. */
  async count(client: ClientBase): Promise<number> {
    const { proxy } = this.#app
    if (proxy !== undefined) return proxy.sessions.size
    const { rows } = await client.query<{ open: number }>(
      `select count(*)::int as open from pg_stat_activity
       where datname = current_database() and backend_type = 'client backend' and application_name <> all ($1)`,
      [OURS],
    )
    return rows[0]?.open ?? 0
  }

  /** Looks again, after a request. What is wrong, where they have become more again and again and never fewer. */
  async look(client: ClientBase): Promise<string | undefined> {
    const open = await this.count(client)
    if (open > this.#open) this.#rises++
    else if (open < this.#open) this.#rises = 0
    this.#open = open
    if (this.#rises < RISES) return undefined
    this.#rises = 0
    return (
      `${open} connections to Postgres are open, one more after each of ${RISES} requests and none closed: ` +
      'the app leaks them. Look for one that is taken from the pool, or made, and not given back'
    )
  }
}

/** Names of the connections that the engine itself has. */
const OURS = ['story', 'arena', 'wire-proxy']
