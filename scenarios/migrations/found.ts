import { Client } from 'pg'
import type { Entitlement, Evidence } from '../../fixtures/migrations/matching.ts'
import type { Database } from '../../fixtures/postgres/databases.ts'

const DAY = 86_400_000
const ANNUAL = 5_000_000
const DRIP = 375_000

/** How an act went: how often the app handled it (0: the event was lost), and whether the fact settled. */
export interface Fate {
  readonly times?: number
  readonly settled?: boolean
}

/**
 * A database that the app as found has written to, made with the app's own functions and the statements of its
 * routes, together with the evidence of what really happened. Evidence has a clock of its own, a day an act, as
 * scenarios have.
 */
export class Found {
  readonly db: Client
  readonly #entitlements: Entitlement[] = []
  readonly #refused: { grant_key: string; why: string }[] = []
  readonly #subscriptions = new Map<string, string>()
  #users = 0
  #day = 0

  private constructor(db: Client) {
    this.db = db
  }

  static async in({ url }: Database): Promise<Found> {
    const db = new Client(url)
    await db.connect()
    return new Found(db)
  }

  async close(): Promise<void> {
    await this.db.end()
  }

  get evidence(): Evidence {
    const everything = { from: null, to: null, unearned_from: null }
    return {
      covers: { checkout_session: everything, invoice: everything, trial: everything, admin: everything },
      entitlements: this.#entitlements,
      refused: this.#refused,
    }
  }

  /** A new user with an active profile, and a draft if asked for. */
  async user(options: { balance?: number; draft?: boolean; profile?: boolean } = {}): Promise<string> {
    this.#users++
    const id = `00000000-0000-4000-8000-${String(this.#users).padStart(12, '0')}`
    await this.db.query('insert into auth.users (id) values ($1)', [id])
    if (options.profile === false) return id
    for (const draft of options.draft ? [false, true] : [false]) {
      await this.db.query(
        `insert into public.user_profiles (user_id, is_draft, is_active, vibe_assistant_tokens_remaining)
         values ($1, $2, not $2, $3)`,
        [id, draft, options.balance ?? 0],
      )
    }
    return id
  }

  /** A pack: as found one row and one raise each time that the event comes, for one pack, paid or not. */
  async pack(
    user: string,
    tokens: number,
    session: string,
    fate: Fate & { quantity?: number } = {},
  ): Promise<void> {
    const { times = 1, settled = true, quantity = 1 } = fate
    for (let i = 0; i < times; i++) {
      await this.db.query(
        `insert into public.token_usage (user_id, action_type, model_used, tokens_used, metadata)
         values ($1, 'admin_grant', 'stripe', $2, jsonb_build_object(
           'stripe_session_id', $3::text, 'stripe_payment_intent', $4::text, 'pack_id', 'mega'))`,
        [user, tokens, session, session.replace('cs_', 'pi_')],
      )
      await this.#raise(user, tokens)
    }
    const key = `checkout_session:${session}`
    if (!settled) this.#refused.push({ grant_key: key, why: 'unpaid' })
    else {
      this.#owe(key, user, 'token_pack_purchase', tokens * quantity, {
        stripe_session_id: session,
        stripe_payment_intent: session.replace('cs_', 'pi_'),
        pack_id: 'mega',
      })
    }
  }

  async annual(
    user: string,
    subscription: string,
    invoice: string,
    { times = 1, settled = true }: Fate = {},
  ) {
    const row = await this.#subscription(user, subscription)
    for (let i = 0; i < times; i++) {
      await this.db.query('select public.grant_annual_tokens($1, $2)', [user, row])
    }
    if (settled) this.#oweInvoice(user, subscription, invoice, ANNUAL, 'annual')
  }

  /** One cycle of the 28-day plan. */
  async drip(user: string, subscription: string, invoice: string, { times = 1, settled = true }: Fate = {}) {
    const row = await this.#subscription(user, subscription)
    for (let i = 0; i < times; i++) {
      await this.db.query(
        `select public.drip_tokens_28day($1, $2,
           (select count(*)::int + 1 from public.token_drips where subscription_id = $2))`,
        [user, row],
      )
    }
    if (settled) this.#oweInvoice(user, subscription, invoice, DRIP, '28day')
  }

  async trial(user: string, subscription: string, tokens: number, { times = 1, settled = true }: Fate = {}) {
    const row = await this.#subscription(user, subscription)
    for (let i = 0; i < times; i++) {
      await this.db.query('select public.grant_trial_tokens($1, $2, $3, 56)', [user, row, tokens])
    }
    if (settled) {
      this.#owe(`trial:${subscription}`, user, 'trial_grant', tokens, {
        stripe_subscription_id: subscription,
        plan: tokens === 1_000_000 ? 'annual' : '28day',
      })
    }
  }

  /** @param row false: the CHECK refused the type, the error was logged, and the balance charged all the same */
  async use(user: string, tokens: number, { row = true, success = true } = {}): Promise<void> {
    if (row) {
      await this.db.query(
        `insert into public.token_usage (user_id, action_type, model_used, tokens_used, success)
         values ($1, 'chat_conversation', 'gpt-5', $2, $3)`,
        [user, tokens, success],
      )
    }
    if (!success) return
    await this.#raise(user, -tokens)
    await this.db.query(
      `update public.user_profiles set vibe_assistant_tokens_used = vibe_assistant_tokens_used + $2
       where user_id = $1 and is_active and not is_draft`,
      [user, tokens],
    )
  }

  async admin(user: string, delta: number, request: string, { times = 1 }: Fate = {}): Promise<void> {
    for (let i = 0; i < times; i++) {
      await this.#raise(user, delta)
      await this.db.query(
        `insert into public.token_usage (user_id, action_type, model_used, tokens_used, metadata)
         values ($1, $2, 'admin', $3, jsonb_build_object('admin_action', true, 'delta', $4::int))`,
        [user, delta > 0 ? 'admin_grant' : 'admin_deduct', Math.abs(delta), delta],
      )
    }
    this.#owe(`admin:${request}`, user, delta > 0 ? 'admin_grant' : 'admin_deduct', Math.abs(delta), {
      request_id: request,
    })
  }

  /** `type tokens` of the user's ledger in time order. */
  async ledger(user: string): Promise<string[]> {
    const { rows } = await this.db.query(
      `select concat_ws(' ', action_type, tokens_used, grant_key) as entry from public.token_usage
       where user_id = $1 order by created_at, grant_key like '%:reset' desc nulls last, grant_key`,
      [user],
    )
    return rows.map(({ entry }) => entry)
  }

  async balance(user: string): Promise<number> {
    return (await this.balances()).get(user) ?? Number.NaN
  }

  async balances(): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.db.query(
      `select user_id, vibe_assistant_tokens_remaining as balance from public.user_profiles
       where is_active and not is_draft`,
    )
    return new Map(rows.map(({ user_id, balance }) => [user_id, balance]))
  }

  /** Every row of every table that a migration could reach. */
  async everything(): Promise<unknown> {
    const found: Record<string, unknown> = {}
    for (const table of [
      'user_profiles',
      'token_usage',
      'token_transactions',
      'token_drips',
      'customer_subscriptions',
    ]) {
      const { rows } = await this.db.query(
        `select to_jsonb(t) as row from public.${table} as t order by t.id`,
      )
      found[table] = rows
    }
    return found
  }

  async #raise(user: string, tokens: number): Promise<void> {
    await this.db.query(
      `update public.user_profiles
       set vibe_assistant_tokens_remaining = greatest(vibe_assistant_tokens_remaining + $2, 0)
       where user_id = $1 and is_active and not is_draft`,
      [user, tokens],
    )
  }

  async #subscription(user: string, stripeId: string): Promise<string> {
    const known = this.#subscriptions.get(stripeId)
    if (known) return known
    const { rows } = await this.db.query(
      `insert into public.customer_subscriptions (user_id, stripe_subscription_id, status)
       values ($1, $2, 'canceled') returning id`,
      [user, stripeId],
    )
    this.#subscriptions.set(stripeId, rows[0].id)
    return rows[0].id
  }

  #oweInvoice(user: string, subscription: string, invoice: string, tokens: number, plan: 'annual' | '28day') {
    this.#owe(`invoice:${invoice}`, user, 'subscription_grant', tokens, {
      stripe_invoice_id: invoice,
      stripe_subscription_id: subscription,
      plan,
    })
  }

  #owe(
    grant_key: string,
    user_id: string,
    action_type: string,
    tokens: number,
    more: Partial<Entitlement>,
  ): void {
    const occurred_at = new Date(Date.parse('2025-01-01T00:00:00Z') + DAY * this.#day++).toISOString()
    const kind = grant_key.split(':')[0] as Entitlement['kind']
    this.#entitlements.push({
      grant_key,
      kind,
      user_id,
      action_type,
      tokens: String(tokens),
      occurred_at,
      ...more,
    })
  }
}
