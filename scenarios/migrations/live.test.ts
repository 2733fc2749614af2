import { Client, DatabaseError } from 'pg'
import { describe, expect } from 'vitest'
import { migrate } from '../../fixtures/migrations/run.ts'
import { status } from '../../fixtures/migrations/status.ts'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import { isVerified, verify } from '../../fixtures/migrations/verify.ts'
import type { Found } from './found.ts'
import { insertLegacy } from './installs.ts'
import { test } from './test.ts'

const USERS = 12
const BATCH = { batchRows: 4n }

describe('while unify runs', () => {
  // Would catch: a backfill that can't go on where it was cut, one that copies a row twice, and a row that comes in
  // behind it and is never copied.
  test('the app writes on, the step is cut at every batch and goes on, and every act is in the ledger once', async ({
    asFound: { database, found },
  }) => {
    const target = parseTarget(database.url)
    const app = await App.of(found, database.url)
    for (const user of app.users) await past(found, user)
    const writing = app.write()
    try {
      const boundaries: string[] = []
      for (;;) {
        // Each attempt gets one batch further than the one before it.
        let batches = 0
        const attempt = migrate(target, 'unify', {
          ...BATCH,
          report: async ({ done, total }) => {
            if (batches++ === 1 && done < total) {
              boundaries.push(`${done}/${total}`)
              await endMigration(found)
            }
          },
        })
        const outcome = await attempt.then(
          () => 'done',
          (error: Error) => error.message,
        )
        if (outcome === 'done') break
        expect(outcome).toMatch(/stopped on its way.*run unify again/)
        expect(await status(target)).toMatchObject({ stage: 'unify under way', next: 'unify' })
      }
      expect(boundaries.length).toBeGreaterThan(3)
    } finally {
      app.stop()
    }
    const acts = await writing

    expect(acts.length).toBeGreaterThan(20)
    expect([...new Set(acts.map(({ kind }) => kind))].sort()).toEqual([
      'admin',
      'annual',
      'drip',
      'pack',
      'use',
    ])
    const { rows } = await found.db.query<{ user_id: string; entry: string; times: number }>(
      `select user_id::text, concat_ws(' ', action_type, tokens_used) as entry, count(*)::int as times
       from public.token_usage group by 1, 2 order by 1, 2`,
    )
    expect(rows.map(({ user_id, entry, times }) => `${user_id} ${entry} ×${times}`)).toEqual(app.owed(acts))
    expect(isVerified(await verify(target))).toBe(true)
    const { rows: triggers } = await found.db.query(
      `select tgname from pg_trigger where tgname like 'token_ledger%'`,
    )
    expect(triggers).toEqual([])
  })
})

/** What a user's past left in both tables, one pack of it in both. */
async function past(found: Found, user: string): Promise<void> {
  const at = (n: number) => `2025-02-0${n}T08:00:00Z`
  const first = { transactions: 'first' } as const
  await insertLegacy(found.db, first, user, {
    type: 'pack_purchase',
    tokens: 2_000_000,
    before: 0,
    after: 2_000_000,
    at: at(1),
    session: `cs_past_${user.slice(-2)}`,
  })
  await insertLegacy(found.db, first, user, {
    type: 'chat',
    tokens: 70,
    before: 2_000_000,
    after: 1_999_930,
    at: at(2),
  })
  await found.db.query(
    `insert into public.token_usage (user_id, action_type, model_used, tokens_used, metadata, created_at)
     values ($1, 'admin_grant', 'stripe', 2000000, jsonb_build_object('stripe_session_id', $2::text), $3)`,
    [user, `cs_past_${user.slice(-2)}`, at(1)],
  )
}

async function endMigration({ db }: Found): Promise<void> {
  await db.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name = 'token-ledger-migrate'`,
  )
}

interface Act {
  readonly user: string
  readonly kind: 'pack' | 'admin' | 'use' | 'annual' | 'drip'
}

/** The app as found, one act after the other, from before unify until it is done: then the new app is deployed. */
class App {
  readonly users: readonly string[]
  readonly #client: Client
  #stopped = false

  private constructor(users: readonly string[], client: Client) {
    this.users = users
    this.#client = client
  }

  static async of(found: Found, url: string): Promise<App> {
    const users: string[] = []
    for (let i = 0; i < USERS; i++) users.push(await found.user())
    const client = new Client(url)
    await client.connect()
    return new App(users, client)
  }

  stop(): void {
    this.#stopped = true
  }

  async write(): Promise<Act[]> {
    const acts: Act[] = []
    const kinds = ['pack', 'admin', 'use', 'annual', 'drip'] as const
    try {
      for (let n = 0; !this.#stopped; n++) {
        const act = { user: this.users[n % USERS] ?? '', kind: kinds[n % kinds.length] ?? 'pack' }
        const { rows } = await this.#client.query(
          `select to_regclass('public.token_ledger_before') is not null as unified`,
        )
        if (rows[0]?.unified) break
        await this.#perform(act, n)
        acts.push(act)
      }
    } catch (error) {
      // The statement that came just after unify: the constraint refuses it, and nothing of it was done.
      if (!(error instanceof DatabaseError && error.code === '23514')) throw error
    } finally {
      await this.#client.end()
    }
    return acts
  }

  async #perform({ user, kind }: Act, n: number): Promise<void> {
    const insert = `insert into public.token_usage (user_id, action_type, model_used, tokens_used, metadata)`
    if (kind === 'pack') {
      await this.#client.query(
        `${insert} values ($1, 'admin_grant', 'stripe', 5000000, jsonb_build_object('stripe_session_id', $2::text))`,
        [user, `cs_now_${n}`],
      )
    } else if (kind === 'admin') {
      await this.#client.query(
        `${insert} values ($1, 'admin_grant', 'admin', 11, '{"admin_action": true}')`,
        [user],
      )
    } else if (kind === 'use') {
      await this.#client.query(`${insert} values ($1, 'chat_conversation', 'gpt-5', 7, '{}')`, [user])
    } else if (kind === 'annual') {
      await this.#client.query('select public.grant_annual_tokens($1, null)', [user])
    } else {
      await this.#client.query('select public.drip_tokens_28day($1, null, 1)', [user])
    }
  }

  /** What the ledger must hold of the past and of these acts, as the test reads it. Expiry of drips apart. */
  owed(acts: readonly Act[]): string[] {
    const entry = {
      pack: 'token_pack_purchase 5000000',
      admin: 'admin_grant 11',
      use: 'chat_conversation 7',
      annual: 'subscription_grant 5000000',
      drip: 'subscription_grant 375000',
    }
    const all = [
      ...this.users.flatMap((user) => [
        `${user} token_pack_purchase 2000000`,
        `${user} chat_conversation 70`,
      ]),
      ...acts.map(({ user, kind }) => `${user} ${entry[kind]}`),
    ]
    return [...Map.groupBy(all, (line) => line)].map(([line, its]) => `${line} ×${its.length}`).sort()
  }
}
