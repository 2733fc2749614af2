import type { Client } from 'pg'
import { expect } from 'vitest'
import type { Books, Owed } from './books.ts'
import { violations } from './violations.ts'

/** Rules that random histories may plant something for. */
const PLANTED = [
  'balance-is-ledger-sum',
  'legacy-row-in-ledger',
  'one-grant-per-fact',
  'running-balance-chain',
]

type Row = Readonly<Record<string, unknown>> & { readonly id: string }
export type Tables = ReadonlyMap<string, readonly Row[]>

/** The rows of the tables that a migration could reach. */
export async function tables(db: Client): Promise<Tables> {
  const { rows } = await db.query<{ schema: string; name: string }>(
    `select c.relnamespace::regnamespace::text as schema, c.relname::text as name from pg_class as c
     where c.relkind = 'r' and c.relname in ('token_usage', 'token_transactions', 'token_drips', 'user_profiles')
       and c.relnamespace::regnamespace::text in ('public', 'archive')`,
  )
  const found = new Map<string, readonly Row[]>()
  for (const { schema, name } of rows) {
    const all = await db.query<{ row: Row }>(
      `select to_jsonb(t) as row from ${schema}.${name} as t order by t.id`,
    )
    found.set(
      name,
      all.rows.map(({ row }) => row),
    )
  }
  return found
}

export async function balances(db: Client): Promise<ReadonlyMap<string, number>> {
  const { rows } = await db.query<{ user_id: string; balance: number }>(
    'select user_id, vibe_assistant_tokens_remaining as balance from public.user_profiles',
  )
  return new Map(rows.map(({ user_id, balance }) => [user_id, balance]))
}

/** A command that has nothing left to do does nothing. */
export async function changesNothing(
  { db, balances: due }: Books,
  command: () => Promise<{ nothingToDo: boolean }>,
): Promise<void> {
  const before = await tables(db)
  expect(await command()).toMatchObject({ nothingToDo: true })
  expect(await tables(db)).toEqual(before)
  expect(await balances(db)).toEqual(due)
}

/** Each movement is there once, with its type and size, in the order in which they happened; the sums are theirs. */
export async function ledgerIsOwed({ db, owed, legacy, sums }: Books): Promise<void> {
  const timeless = legacy.flatMap(({ id, owed: { minute } }) => (minute === 'never' ? id : []))
  const { rows } = await db.query<Omit<Owed, 'place'>>(
    `select u.user_id as user, u.action_type as type, u.tokens_used as tokens, not u.success as failed,
       case when u.metadata ->> 'legacy_id' = any ($1) then 'never'
         when u.created_at > '2026-01-01' then 'now'
         else floor(extract(epoch from u.created_at - timestamptz '2025-01-01Z') / 60)::text end as minute
     from public.token_usage as u
     order by u.created_at, u.grant_key like '%:reset' desc nulls last, u.id`,
    [timeless],
  )
  expect(inOrder(rows)).toEqual(inOrder(owed))

  const { rows: shown } = await db.query<{ user: string; sum: string }>(
    'select user_id as user, coalesce(sum(delta), 0)::text as sum from public.token_ledger group by user_id',
  )
  const all = new Map([...sums].map(([user]) => [user, 0]))
  for (const { user, sum } of shown) all.set(user, Number(sum))
  expect(all).toEqual(sums)
}

/** `user minute type tokens`, in order; rows without a time, and calls that failed, are somewhere among theirs. */
function inOrder(rows: readonly Omit<Owed, 'place'>[]): string[] {
  const place = ({ minute, failed }: Omit<Owed, 'place'>) =>
    (minute === 'now' ? 1e6 : minute === 'never' ? 2e6 : Number(minute)) + (failed ? 0.5 : 0)
  const lines = rows
    .toSorted((a, b) => (a.user < b.user ? -1 : a.user > b.user ? 1 : place(a) - place(b)))
    .map(
      (row) => `${row.user.slice(-1)} ${row.minute} ${row.type} ${row.tokens}${row.failed ? ' failed' : ''}`,
    )
  const timeless = lines.filter((line) => line.includes(' never '))
  return [...lines.filter((line) => !line.includes(' never ')), ...timeless.sort()]
}

/** Each row of token_transactions has one row of token_usage, of its user, type and size. */
export async function oneCounterpartEach({ db, legacy }: Books): Promise<void> {
  const { rows } = await db.query<{ id: string; counterparts: string[] }>(
    `select t.id, array_agg(concat_ws(' ', u.user_id, u.action_type, u.tokens_used)) as counterparts
     from public.token_transactions as t
     join public.token_usage as u
       on u.metadata ->> 'legacy_id' = t.id::text and u.metadata ->> 'legacy_table' = 'token_transactions'
         or u.id::text = to_jsonb(t) -> 'metadata' ->> 'token_usage_id'
     group by t.id`,
  )
  const due = legacy.flatMap(({ id, owed: { user, type, tokens }, fate }) =>
    fate === 'counterpart' ? [[id, [`${user} ${type} ${tokens}`]] as const] : [],
  )
  expect(new Map(rows.map(({ id, counterparts }) => [id, counterparts]))).toEqual(new Map(due))
}

/** No legacy row has changed, and no row of token_usage is gone or has another size or time. */
export async function pastIsKept({ db }: Books, past: Tables): Promise<void> {
  const now = await tables(db)
  for (const [table, rows] of past) {
    if (table === 'user_profiles') continue
    const kept = new Map(now.get(table)?.map((row) => [row.id, row]))
    for (const row of rows) {
      const { id, user_id, tokens_used, success, created_at } = row
      const stays = table === 'token_usage' ? { id, user_id, tokens_used, success, created_at } : row
      expect(kept.get(row.id), table).toMatchObject(stays)
    }
  }
}

/** The rules of the stage find what the history has planted, and nothing else. */
export async function onlyThePlantedIsFound(
  { db, balances: held, sums, legacy, doubled }: Books,
  url: string,
): Promise<void> {
  const found = (await violations(url)).map((line) => {
    const [, rule = '', subject = ''] = /^(\S+) (.*?): /.exec(line) ?? []
    return { rule, subject, line }
  })
  const subjects = (rule: string) => found.flatMap((one) => (one.rule === rule ? one.subject : [])).sort()
  expect(found.filter(({ rule }) => !PLANTED.includes(rule))).toEqual([])

  const off = [...held].flatMap(([user, balance]) => (balance === sums.get(user) ? [] : user)).sort()
  expect(subjects('balance-is-ledger-sum')).toEqual(off)
  const undecided = legacy.flatMap(({ id, fate }) => (fate === 'undecided' ? id : [])).sort()
  expect(subjects('legacy-row-in-ledger')).toEqual(undecided)
  expect(subjects('one-grant-per-fact').filter((fact) => !doubled.has(fact))).toEqual([])
  // Balances that did not add up before unify are what the first row that carries them starts from.
  const { rows } = await db.query<{ id: string }>(
    'select id from public.token_usage where user_id = any ($1::uuid[])',
    [off],
  )
  const theirs = new Set(rows.map(({ id }) => id))
  expect(subjects('running-balance-chain').filter((id) => !theirs.has(id))).toEqual([])
}
