import { ADDS, INT_MAX, type Type } from './legacy-histories.ts'
import { type LegacyValues, OldRows } from './old-rows.ts'

/** A movement that the ledger owes its user. */
export interface Owed {
  readonly user: string
  /** Each deed of the past has a minute of its own; what the app does meanwhile comes after all of them. */
  readonly minute: number | 'now' | 'never'
  /** In the order of time. */
  readonly place: number
  readonly type: string
  readonly tokens: number
  readonly failed?: true
}

/** A row of token_transactions. */
interface LegacyRow {
  readonly id: string
  readonly owed: Owed
  /** A grant of 0 stays where it is; a row whose direction nothing tells waits for somebody's decision. */
  readonly fate: 'counterpart' | 'stays' | 'undecided'
}

/** The test's own books on what is owed: they know what was done, and nothing that the road has made. */
export class Books {
  /** The database. */
  readonly to: OldRows
  readonly owed: Owed[] = []
  readonly legacy: LegacyRow[] = []
  /** Sessions and payments that several movements name. */
  readonly doubled = new Set<string>()
  readonly balances = new Map<string, number>()
  readonly #users: string[] = []
  /** What a user's last legacy row says of the balance. */
  readonly #snapshots = new Map<string, number>()
  #places = 0

  private constructor(to: OldRows) {
    this.to = to
  }

  static async open(url: string, install: string, users: number): Promise<Books> {
    const books = new Books(await OldRows.open(url, install))
    for (let n = 1; n <= users; n++) {
      const user = await books.to.user(n)
      books.#users.push(user)
      await books.readBalance(user)
    }
    return books
  }

  get db() {
    return this.to.db
  }

  async close(): Promise<void> {
    await this.db.end()
  }

  /** What the movements of each user come to. */
  get sums(): ReadonlyMap<string, number> {
    const sums = new Map(this.#users.map((user) => [user, 0]))
    for (const { user, type, tokens, failed } of this.owed) {
      if (!failed) sums.set(user, (sums.get(user) ?? 0) + signed(type, tokens))
    }
    return sums
  }

  /** Somebody decides about the rows whose direction nothing tells: they were grants. */
  async decide(): Promise<void> {
    for (const [i, { id, owed, fate }] of this.legacy.entries()) {
      if (fate !== 'undecided') continue
      await this.db.query(
        `insert into public.token_usage (user_id, action_type, model_used, tokens_used, grant_key, metadata, created_at)
         select t.user_id, $2, 'legacy', $3, 'legacy:token_transactions:' || t.id,
           jsonb_build_object('legacy_table', 'token_transactions', 'legacy_id', t.id), t.created_at
         from public.token_transactions as t where t.id = $1`,
        [id, owed.type, owed.tokens],
      )
      this.legacy[i] = { id, owed, fate: 'counterpart' }
      this.owed.push(owed)
    }
    this.owed.sort((a, b) => a.place - b.place)
  }

  /** The row that the function for a year has written; none any more once the table is retired. */
  async findLegacyRow(owed: Owed, snapshot: number): Promise<void> {
    const { rowCount } = await this.db.query(
      `select where to_regclass('public.token_transactions') is not null`,
    )
    if (!rowCount) return
    this.#snapshots.set(owed.user, snapshot)
    const { rows } = await this.db.query<{ id: string }>(
      'select id from public.token_transactions where user_id = $1 and not id = any ($2::uuid[])',
      [owed.user, this.legacy.map(({ id }) => id)],
    )
    this.legacy.push(...rows.map(({ id }) => ({ id, owed, fate: 'counterpart' as const })))
  }

  /** @returns whether the install took it */
  async legacyRow(
    owed: Owed,
    fate: LegacyRow['fate'],
    row: Omit<LegacyValues, 'user' | 'before' | 'after'> & { readonly after?: number },
  ): Promise<boolean> {
    const { user, type, tokens } = owed
    const before = this.#snapshots.get(user) ?? 0
    const after = row.after ?? Math.min(INT_MAX, Math.max(0, before + signed(type, tokens)))
    const id = await this.to.legacy({ ...row, user, before, after })
    if (id === undefined) return false
    if (row.when !== 'never') this.#snapshots.set(user, after)
    this.legacy.push({ id, owed, fate })
    return true
  }

  /** As the app raises a balance, beside the row. */
  async moved(owed: Owed): Promise<void> {
    this.owed.push(owed)
    await this.to.raise(owed.user, signed(owed.type, owed.tokens))
    await this.readBalance(owed.user)
  }

  async readBalance(user: string): Promise<number> {
    const balance = await this.to.balance(user)
    this.balances.set(user, balance)
    return balance
  }

  movement(user: string, type: Type, tokens: number, minute: Owed['minute']): Owed {
    return { user, type, tokens, minute, place: ++this.#places }
  }

  /** What the user's last legacy row says of the balance. */
  snapshot(user: string): number | undefined {
    return this.#snapshots.get(user)
  }

  /** Several movements name the same payment. */
  double(fact: string): void {
    this.doubled.add(`cs${fact}`).add(`pi${fact}`)
  }

  user(n: number): string {
    return this.#users[n] ?? ''
  }
}

function signed(type: string, tokens: number): number {
  return ADDS.has(type) ? tokens : -tokens
}
