import { setTimeout as wait } from 'node:timers/promises'
import { Client, DatabaseError } from 'pg'

const CONNECTIONS = 4
/** Between two acts of a connection. */
const PAUSE_MS = 10
const CHECK_VIOLATION = '23514'

export interface Latency {
  readonly acts: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

interface User {
  readonly id: string
  readonly subscription: string | null
}

/**
 * The app as found, on several connections: the statements that it sends for a request, each its own transaction. Most
 * requests are AI use; one in five is a pack, an admin change, a year or a drip.
 */
export class OldApp {
  readonly #users: readonly User[]
  #latencies: number[] = []
  #stopped = false
  #acts = 0
  #working: Promise<unknown> = Promise.resolve()

  private constructor(users: readonly User[]) {
    this.#users = users
  }

  static async start(url: string): Promise<OldApp> {
    const clients: Client[] = []
    for (let i = 0; i < CONNECTIONS; i++) {
      const client = new Client({ connectionString: url, application_name: 'old-app' })
      await client.connect()
      clients.push(client)
    }
    const { rows } = (await clients[0]?.query<User>(
      `select p.user_id as id, s.id as subscription
       from public.user_profiles as p
       left join public.customer_subscriptions as s on s.user_id = p.user_id
       where p.is_active and not p.is_draft order by md5(p.user_id::text) limit 10000`,
    )) ?? { rows: [] }
    const app = new OldApp(rows)
    app.#working = Promise.all(clients.map((client) => app.#work(client)))
    // Its failure is told by stop.
    app.#working.catch(() => {})
    return app
  }

  /** What acts took since this was asked last. */
  sinceLast(): Latency {
    const sorted = this.#latencies.toSorted((a, b) => a - b)
    this.#latencies = []
    const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN
    return { acts: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#working
  }

  async #work(client: Client): Promise<void> {
    try {
      while (!this.#stopped) {
        const n = this.#acts++
        const began = performance.now()
        try {
          await act(client, n, this.#users[(n * 7919) % this.#users.length] as User)
          this.#latencies.push(performance.now() - began)
        } catch (error) {
          // From unify's end the constraints refuse what the old app inserts without a key: the new app is deployed.
          if (!(error instanceof DatabaseError && error.code === CHECK_VIOLATION)) throw error
        }
        await wait(PAUSE_MS)
      }
    } finally {
      await client.end()
    }
  }
}

const INSERT =
  'insert into public.token_usage (user_id, action_type, model_used, tokens_used, metadata) values ($1, $2, $3, $4, $5)'

async function act(client: Client, n: number, { id, subscription }: User): Promise<void> {
  switch (n % 20) {
    case 4:
      await client.query(INSERT, [
        id,
        'admin_grant',
        'stripe',
        2_000_000,
        { stripe_session_id: `cs_live_now_${n}`, stripe_payment_intent: `pi_now_${n}`, pack_id: 'power' },
      ])
      return moveBalance(client, id, 2_000_000)
    case 9:
      await moveBalance(client, id, 500)
      await client.query(INSERT, [id, 'admin_grant', 'admin', 500, { admin_action: true, delta: 500 }])
      return
    case 14:
      await client.query('select public.grant_annual_tokens($1, $2)', [id, subscription])
      return
    case 19:
      await client.query('select public.drip_tokens_28day($1, $2, 1)', [id, subscription])
      return
    default:
      await client.query(INSERT, [id, 'chat_conversation', 'gpt-5', 700, {}])
      await moveBalance(client, id, -700)
  }
}

async function moveBalance(client: Client, id: string, delta: number): Promise<void> {
  const where = 'where user_id = $1 and is_active and not is_draft'
  const { rows } = await client.query<{ balance: number }>(
    `select vibe_assistant_tokens_remaining as balance from public.user_profiles ${where}`,
    [id],
  )
  await client.query(`update public.user_profiles set vibe_assistant_tokens_remaining = $2 ${where}`, [
    id,
    Math.max(0, (rows[0]?.balance ?? 0) + delta),
  ])
}
