import type { ClientBase } from 'pg'
import { z } from 'zod'

/** A row that moves, or should have moved, tokens. */
export interface LedgerRow {
  readonly table: 'token_usage' | 'token_transactions' | 'token_drips'
  readonly id: string
  readonly userId: string
  readonly type: string
  /** As stored: token_usage is never negative, token_transactions is negative for a grant. */
  readonly tokens: bigint
  /** What it moved, where the row itself carries its balances. */
  readonly delta: bigint | null
  readonly key: string | null
  /** Of the whole row: one that changes later has another. */
  readonly fingerprint: string
}

export interface ProfileRow {
  readonly id: string
  readonly userId: string
  readonly profile: 'active' | 'draft' | 'former'
  readonly balance: bigint
}

/** What the ledger and the profiles hold at one moment. */
export interface Snapshot {
  readonly rows: readonly LedgerRow[]
  readonly profiles: readonly ProfileRow[]
}

export interface BalanceChange extends ProfileRow {
  readonly before: bigint | null
}

/** What happened between two snapshots. */
export interface Changes {
  readonly added: readonly LedgerRow[]
  /** Rows of the ledger that are not what they were, or no longer there: it is only ever appended to. */
  readonly altered: readonly LedgerRow[]
  readonly balances: readonly BalanceChange[]
}

const Rows = z.array(
  z.object({
    table: z.enum(['token_usage', 'token_transactions', 'token_drips']),
    id: z.uuid(),
    userId: z.uuid(),
    type: z.string(),
    tokens: z.string().transform(BigInt),
    delta: z.string().transform(BigInt).nullable(),
    key: z.string().nullable(),
    fingerprint: z.string(),
  }),
)

const Profiles = z.array(
  z.object({
    id: z.uuid(),
    userId: z.uuid(),
    profile: z.enum(['active', 'draft', 'former']),
    balance: z.string().transform(BigInt),
  }),
)

// Through to_jsonb: the same words on a database that has the columns of unify and on one that has not, and on both
// shapes of the legacy table.
const ROWS: readonly (readonly [table: string, select: string])[] = [
  [
    'public.token_usage',
    `select 'token_usage' as table, u.id, u.user_id as "userId", u.action_type::text as type,
       u.tokens_used::text as tokens,
       ((to_jsonb(u) ->> 'balance_after')::bigint - (to_jsonb(u) ->> 'balance_before')::bigint)::text as delta,
       to_jsonb(u) ->> 'grant_key' as key, md5(u::text) as fingerprint, u.created_at as at
     from public.token_usage as u`,
  ],
  [
    'public.token_transactions',
    `select 'token_transactions', t.id, t.user_id,
       coalesce(to_jsonb(t) ->> 'action_type', to_jsonb(t) ->> 'transaction_type'),
       coalesce(to_jsonb(t) ->> 'tokens_used', to_jsonb(t) ->> 'token_amount'), null, null, md5(t::text), t.created_at
     from public.token_transactions as t`,
  ],
  [
    'public.token_drips',
    `select 'token_drips', d.id, d.user_id, 'cycle ' || d.cycle_number, d.drip_amount::text, null, null, md5(d::text),
       d.drip_date
     from public.token_drips as d`,
  ],
]

const PROFILES = `
  select p.id, p.user_id as "userId",
    case when p.is_draft then 'draft' when p.is_active then 'active' else 'former' end as profile,
    coalesce(p.vibe_assistant_tokens_remaining, 0)::text as balance
  from public.user_profiles as p
  order by p.user_id, p.is_draft, p.id`

/** The whole ledger, in those of its tables that there are, oldest row first, and all profiles. */
export async function readLedger(client: ClientBase): Promise<Snapshot> {
  const read = await ledgerReader(client)
  return read()
}

/** Reads the ledger as often as one likes, as long as no table of it comes or goes. */
export async function ledgerReader(client: ClientBase): Promise<() => Promise<Snapshot>> {
  const { rows: there } = await client.query<{ name: string }>(
    'select name from unnest($1::text[]) as name where to_regclass(name) is not null',
    [ROWS.map(([table]) => table)],
  )
  const selects = ROWS.filter(([table]) => there.some(({ name }) => name === table)).map(
    ([, select]) => select,
  )
  const text = `
    select (select coalesce(json_agg(r order by r.at, r.id), '[]') from (${selects.join(' union all ')}) as r) as rows,
      (select coalesce(json_agg(p), '[]') from (${PROFILES}) as p) as profiles`
  return async () => {
    const { rows } = await client.query<{ rows: unknown; profiles: unknown }>(text)
    return { rows: Rows.parse(rows[0]?.rows), profiles: Profiles.parse(rows[0]?.profiles) }
  }
}

export function changesBetween(before: Snapshot, after: Snapshot): Changes {
  const old = new Map(before.rows.map((row) => [row.id, row]))
  const now = new Map(after.rows.map((row) => [row.id, row]))
  const balances = new Map(before.profiles.map(({ id, balance }) => [id, balance]))
  return {
    added: after.rows.filter(({ id }) => !old.has(id)),
    altered: before.rows.filter(({ id, fingerprint }) => now.get(id)?.fingerprint !== fingerprint),
    balances: after.profiles
      .filter(({ id, balance }) => balances.get(id) !== balance)
      .map((profile) => ({ ...profile, before: balances.get(profile.id) ?? null })),
  }
}
