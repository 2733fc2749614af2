import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { type AppEnv, type AppRevision, type RunningApp, startApp } from '../../fixtures/app/app.ts'
import { startDataApi } from '../../fixtures/supabase/data-api.ts'
import { test as withDatabases } from '../support/test.ts'
import { HandMadeApi, SECRET } from './hand-made-stripe.ts'

/** An app under test with its own database and its own Stripe, and what a test wants to know about them. */
export interface Stand {
  readonly app: RunningApp
  readonly stripe: HandMadeApi
  readonly db: pg.Client
  /** What a further app would be given to share the database and Stripe. */
  readonly env: AppEnv
  /** A new user with an active profile, and a draft that copies its balance if asked for. */
  user(options?: { balance?: number; draft?: boolean }): Promise<string>
  balance(userId: string): Promise<number>
  /** The user's ledger, oldest first: `type tokens key`. */
  ledger(userId: string): Promise<string[]>
  /** Every row of every table that the app may write: equal before and after where nothing was written. */
  everything(): Promise<unknown>
}

const WRITTEN = [
  'user_profiles',
  'token_usage',
  'token_transactions',
  'token_drips',
  'customer_subscriptions',
  'payment_history',
]

export const test = withDatabases.extend('stand', async ({ database, onTestFinished }) => {
  return async (
    revision: AppRevision,
    settings: Partial<AppEnv> = {},
    /** Prepares the database and returns the URL that the app is given. */
    prepare: (db: pg.Client, url: string) => Promise<string> = async (_, url) => url,
  ): Promise<Stand> => {
    const { url } = await database(revision === 'as-found' ? 'as-found' : 'unified')
    const db = new pg.Client(url)
    await db.connect()
    const stripe = await HandMadeApi.start()
    const dataApi = revision === 'as-found' ? await startDataApi(url) : undefined
    const env: AppEnv = {
      DATABASE_URL: await prepare(db, url),
      SUPABASE_URL: dataApi?.url ?? 'http://127.0.0.1:1',
      SUPABASE_ANON_KEY: dataApi?.anonKey ?? 'unused',
      SUPABASE_SERVICE_ROLE_KEY: dataApi?.serviceKey ?? 'unused',
      STRIPE_SECRET_KEY: 'sk_test_123',
      STRIPE_WEBHOOK_SECRET: SECRET,
      STRIPE_API_HOST: stripe.url,
      STRIPE_LIVEMODE: 'true',
      ...settings,
    }
    const app = await startApp(revision, env)
    onTestFinished(async () => {
      // The test's own connection first: it may hold locks that the app waits for.
      await db.end()
      await app.close()
      await dataApi?.stop()
      await stripe.close()
    })
    return { app, stripe, db, env, ...looksInto(db, revision) }
  }
})

function looksInto(
  db: pg.Client,
  revision: AppRevision,
): Pick<Stand, 'user' | 'balance' | 'ledger' | 'everything'> {
  return {
    async user({ balance = 0, draft = false } = {}) {
      const id = randomUUID()
      await db.query('insert into auth.users (id) values ($1)', [id])
      for (const isDraft of draft ? [false, true] : [false]) {
        await db.query(
          `insert into public.user_profiles (user_id, is_draft, is_active, vibe_assistant_tokens_remaining)
           values ($1, $2, not $2, $3)`,
          [id, isDraft, balance],
        )
      }
      return id
    },
    async balance(userId) {
      const { rows } = await db.query(
        `select vibe_assistant_tokens_remaining as balance from public.user_profiles
         where user_id = $1 and is_active and not is_draft`,
        [userId],
      )
      return rows[0].balance
    },
    async ledger(userId) {
      const key = revision === 'as-found' ? "''" : 'grant_key'
      const { rows } = await db.query(
        `select concat_ws(' ', action_type, tokens_used, ${key}) as entry from public.token_usage
         where user_id = $1 order by created_at`,
        [userId],
      )
      return rows.map(({ entry }) => entry.trim())
    },
    async everything() {
      const rows: Record<string, unknown[]> = {}
      for (const table of WRITTEN) {
        const result = await db.query(`select to_jsonb(t) as row from public.${table} as t order by t.id`)
        rows[table] = result.rows
      }
      return rows
    },
  }
}
