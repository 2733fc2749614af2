import { Client, DatabaseError } from 'pg'
import { INT_MAX, type Naming } from './legacy-histories.ts'

const FIRST_MINUTE = '2025-01-01T00:00:00Z'
/** An enum without the value, no such column, no such table, past the integers, a CHECK. */
const REFUSED = ['22P02', '42703', '42P01', '22003', '23514']
const PAST_THE_INTEGERS = '22003'

/** Milliseconds after the first minute of the past; `now`: the database's time; `never`: none. */
export type When = number | 'now' | 'never'

/** A row of token_transactions, whichever shape the table has. */
export interface LegacyValues {
  readonly user: string
  readonly type: string
  /** With its sign. */
  readonly size: number
  readonly before: number
  readonly after: number
  readonly when: When
  readonly names?: Naming
  /** The payment that is named, `_1` of `cs_1` and `pi_1`. */
  readonly fact?: string
  readonly inColumns?: boolean
  readonly metadata?: unknown
}

/** Writes to a database what the app as found writes there, each statement a transaction, ids in one order. */
export class OldRows {
  readonly db: Client
  readonly secondShape: boolean
  readonly #columns: ReadonlySet<string>
  #ids = 0

  private constructor(db: Client, columns: ReadonlySet<string>) {
    this.db = db
    this.#columns = columns
    this.secondShape = columns.has('token_amount')
  }

  /** @param install makes the as-found database that of another install */
  static async open(url: string, install: string): Promise<OldRows> {
    const db = new Client(url)
    await db.connect()
    await db.query(install)
    const { rows } = await db.query<{ name: string }>(
      `select attname as name from pg_attribute where attrelid = 'public.token_transactions'::regclass and attnum > 0`,
    )
    return new OldRows(db, new Set(rows.map(({ name }) => name)))
  }

  /** What a row of this install's can name. */
  naming(names: Naming): Naming {
    return this.#columns.has('metadata') ? names : 'none'
  }

  /** A user with a profile and a subscription to each plan. */
  async user(n: number): Promise<string> {
    const id = this.#id()
    await this.db.query('insert into auth.users (id) values ($1)', [id])
    await this.db.query('insert into public.user_profiles (user_id) values ($1)', [id])
    await this.db.query(
      `insert into public.customer_subscriptions (user_id, stripe_subscription_id, status)
       select $1, 'sub_' || plan || '_' || $2, 'canceled' from unnest(array['annual', 'drip']) as plan`,
      [id, n],
    )
    return id
  }

  /** @returns its id; undefined where the install does not take it */
  async legacy(row: LegacyValues): Promise<string | undefined> {
    const { names = 'none', when } = row
    const id = this.#id()
    const values: Record<string, unknown> = { id, user_id: row.user }
    if (when !== 'now') values.created_at = when === 'never' ? null : iso(when)
    if (this.secondShape) {
      if (when === 'never') return undefined
      const { before: balance_before, after: balance_after } = row
      Object.assign(values, {
        transaction_type: row.type,
        token_amount: row.size,
        balance_before,
        balance_after,
      })
    } else {
      Object.assign(values, { action_type: row.type, tokens_used: row.size, tokens_remaining: row.after })
      const { stripe_session_id, stripe_payment_intent } = payment(names, row.fact)
      const inColumns = row.inColumns === true && this.#columns.has('stripe_session_id')
      if (inColumns) {
        Object.assign(values, { stripe_session_id, stripe_payment_intent_id: stripe_payment_intent })
      }
      values.metadata = json(inColumns || names === 'none' ? row.metadata : payment(names, row.fact))
    }
    const columns = Object.keys(values)
    const taken = await this.takes(
      `insert into public.token_transactions (${columns}) values (${columns.map((_, i) => `$${i + 1}`)})`,
      Object.values(values),
    )
    return taken ? id : undefined
  }

  usage(
    row: { user: string; type: string; tokens: number; metadata: unknown; failed?: boolean },
    at: number | 'now',
  ): Promise<boolean> {
    return this.takes(
      `insert into public.token_usage (id, user_id, action_type, model_used, tokens_used, metadata, success, created_at)
       values ($1, $2, $3, 'gpt-5', $4, $5, $6, coalesce($7::timestamptz, now()))`,
      [
        this.#id(),
        row.user,
        row.type,
        row.tokens,
        json(row.metadata),
        !row.failed,
        at === 'now' ? null : iso(at),
      ],
    )
  }

  /** One statement; false where the install refuses it: not each can do everything that the app tries. */
  async takes(sql: string, values: unknown[]): Promise<boolean> {
    try {
      await this.db.query(sql, values)
      return true
    } catch (error) {
      const { code = '' } = error instanceof DatabaseError ? error : {}
      if (!REFUSED.includes(code) || (code !== PAST_THE_INTEGERS && (await this.isUnified()))) throw error
      return false
    }
  }

  async isUnified(): Promise<boolean> {
    const { rows } = await this.db.query<{ there: boolean }>(
      `select to_regclass('public.token_ledger_stage') is not null as there`,
    )
    if (!rows[0]?.there) return false
    const { rowCount } = await this.db.query(`select from public.token_ledger_stage where stage = 'unify'`)
    return rowCount === 1
  }

  async raise(user: string, delta: number): Promise<void> {
    await this.db.query(
      `update public.user_profiles
       set vibe_assistant_tokens_remaining = least(${INT_MAX}, greatest(0, vibe_assistant_tokens_remaining::bigint + $2))
       where user_id = $1`,
      [user, delta],
    )
  }

  async balance(user: string): Promise<number> {
    const { rows } = await this.db.query<{ balance: number }>(
      'select vibe_assistant_tokens_remaining as balance from public.user_profiles where user_id = $1',
      [user],
    )
    return rows[0]?.balance ?? Number.NaN
  }

  /** Dates back what a function has just written. */
  async dateBack(table: 'token_transactions' | 'token_drips', user: string, at: number): Promise<void> {
    const time = table === 'token_drips' ? 'drip_date' : 'created_at'
    await this.db.query(
      `update public.${table} set ${time} = $2 where user_id = $1 and ${time} > '2026-01-01'`,
      [user, iso(at)],
    )
  }

  /** An invoice of the plan, paid. */
  async pays(user: string, plan: string, invoice: string, at: number | 'now'): Promise<void> {
    await this.db.query(
      `insert into public.payment_history (user_id, subscription_id, stripe_invoice_id, amount, status, paid_at)
       select $1, s.id, $2, 9900, 'succeeded', coalesce($3::timestamptz, now())
       from public.customer_subscriptions as s where s.user_id = $1 and s.stripe_subscription_id like 'sub_' || $4 || '_%'`,
      [user, invoice, at === 'now' ? null : iso(at), plan],
    )
  }

  #id(): string {
    return `00000000-0000-4000-8000-${String(++this.#ids).padStart(12, '0')}`
  }
}

/** What metadata says of a payment. */
export function payment(
  names: Naming,
  fact = '',
): { stripe_session_id?: string; stripe_payment_intent?: string } {
  return {
    ...((names === 'session' || names === 'both') && { stripe_session_id: `cs${fact}` }),
    ...((names === 'intent' || names === 'both') && { stripe_payment_intent: `pi${fact}` }),
  }
}

function iso(afterFirstMinute: number): string {
  return new Date(Date.parse(FIRST_MINUTE) + afterFirstMinute).toISOString()
}

function json(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value)
}
