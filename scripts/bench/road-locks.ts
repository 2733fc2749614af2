import { setTimeout as wait } from 'node:timers/promises'
import { Client } from 'pg'

/** Between two looks: what is shorter than that may be missed, what is longer is measured to about so much. */
const EVERY_MS = 3

interface Longest {
  readonly ms: number
  readonly what: string
}

export interface Waits {
  /** The longest that the migration held a lock on a table of the ledger that stops its writers. */
  readonly held: Longest
  /** The longest that a session of the app waited for a lock of any kind that the migration held or stood in line for. */
  readonly waited: Longest
  readonly looks: number
  /** The longest time between two looks. */
  readonly gap: number
}

// A lock is told apart by its transaction: one that is taken again in the next one is another.
const LOOK = `
select 'held' as as, format('%s on %s', l.mode, l.relation::regclass) as what, l.virtualtransaction as by, null::float as ms
from pg_locks as l
join pg_stat_activity as a on a.pid = l.pid and a.application_name = 'token-ledger-migrate'
where l.locktype = 'relation' and l.granted
  and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  and l.relation in ('public.token_usage'::regclass, 'public.token_transactions'::regclass, 'public.token_drips'::regclass)
union all
select 'waited', format('%s on %s', l.mode, coalesce(l.relation::regclass::text, l.locktype)), null,
  extract(epoch from clock_timestamp() - l.waitstart) * 1000
from pg_locks as l
join pg_stat_activity as a on a.pid = l.pid and a.application_name = 'old-app'
where not l.granted and exists (
  select from pg_stat_activity as m
  where m.application_name = 'token-ledger-migrate' and m.pid = any (pg_blocking_pids(l.pid)))`

/** Looks at pg_locks again and again, on a connection of its own. */
export class RoadLocks {
  readonly #client: Client
  #stopped = false
  #looking: Promise<Waits> | undefined

  private constructor(client: Client) {
    this.#client = client
  }

  static async watch(url: string): Promise<RoadLocks> {
    const client = new Client({ connectionString: url })
    await client.connect()
    const locks = new RoadLocks(client)
    locks.#looking = locks.#look()
    locks.#looking.catch(() => {})
    return locks
  }

  async stop(): Promise<Waits> {
    this.#stopped = true
    const waits = await this.#looking
    if (waits === undefined) throw new Error('nobody has looked')
    return waits
  }

  async #look(): Promise<Waits> {
    let [held, waited]: Longest[] = [
      { ms: 0, what: 'none' },
      { ms: 0, what: 'none' },
    ]
    let [looks, gap] = [0, 0]
    let last = performance.now()
    let seen = new Map<string, number>()
    try {
      while (!this.#stopped) {
        const { rows } = await this.#client.query<{ as: string; what: string; by: string; ms: number }>(LOOK)
        const now = performance.now()
        const still = new Map<string, number>()
        for (const { as, what, by, ms } of rows) {
          if (as === 'waited') {
            if (ms > (waited?.ms ?? 0)) waited = { ms, what }
            continue
          }
          const key = `${by} ${what}`
          // From the look that did not see it yet.
          const since = seen.get(key) ?? last
          still.set(key, since)
          if (now - since > (held?.ms ?? 0)) held = { ms: now - since, what }
        }
        seen = still
        gap = Math.max(gap, looks > 0 ? now - last : 0)
        last = now
        looks++
        await wait(EVERY_MS)
      }
      return { held: held as Longest, waited: waited as Longest, looks, gap }
    } finally {
      await this.#client.end()
    }
  }
}
