import { describe, expect } from 'vitest'
import { dryRun } from '../../fixtures/migrations/dry-run.ts'
import { sumOfTallies } from '../../fixtures/migrations/plan.ts'
import { retire } from '../../fixtures/migrations/retire.ts'
import { migrate } from '../../fixtures/migrations/run.ts'
import { status } from '../../fixtures/migrations/status.ts'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import { undo } from '../../fixtures/migrations/undo.ts'
import { isVerified, verify } from '../../fixtures/migrations/verify.ts'
import type { Found } from './found.ts'
import { INSTALLS, type Install, insertLegacy } from './installs.ts'
import { test } from './test.ts'
import { violations } from './violations.ts'

const DAY = (n: number) => `2025-01-${String(n).padStart(2, '0')}T12:00:00Z`

describe.for(INSTALLS)('an install $name', (install) => {
  // Would catch: a column of one shape that the road reads on all, a CHECK value that is lost, a row whose direction is
  // guessed, and a step that can't be taken back.
  test('walks the road to its end, and back to where it was', async ({ asFound: { database, found } }) => {
    const target = parseTarget(database.url)
    await found.db.query(install.sql)
    const old = await fill(found, install)
    const before = await checkedTypes(found)

    const first = await status(target)
    expect(first).toMatchObject({ stage: 'as-found', next: 'view', recorded: [] })
    expect(first.shapes.find(({ table }) => table === 'token_transactions')?.shape).toBe(install.shape)
    expect(first.shapes.find(({ table }) => table === 'token_drips')?.shape).toBe(
      install.drips ? 'as found' : 'absent',
    )
    expect(first.findings.filter(({ standsInTheWay }) => standsInTheWay)).toEqual([])

    const dry = await dryRun(target, 'unify')
    await migrate(target, 'view')
    const shown = await found.db.query('select sum(delta)::int as total from public.token_ledger')
    expect(shown.rows).toEqual([{ total: old.total }])
    const viewed = await status(target)
    expect(viewed).toMatchObject({ stage: 'view', next: 'unify' })

    const done = await migrate(target, 'unify')
    expect(done.changed).toEqual(sumOfTallies(dry.users))
    expect((await migrate(target, 'unify')).nothingToDo).toBe(true)
    const { rows } = await found.db.query('select sum(delta)::int as total from public.token_ledger')
    expect(rows).toEqual([{ total: old.total }])
    const after = await checkedTypes(found)
    expect(after).toEqual(expect.arrayContaining(before))
    expect(after).toEqual(
      expect.arrayContaining(['subscription_grant', 'trial_grant', 'token_pack_purchase']),
    )
    expect(await status(target)).toMatchObject({ stage: 'unify', plan: [] })

    // A year is granted on every install, also where the old function could not.
    await found.db.query(`select public.grant_annual_tokens($1, null, 'in_1', 'sub_1')`, [old.user])
    const verification = await verify(target)
    expect(verification).toMatchObject({ unmatched: [], sumsOff: [], refusedTypes: [] })
    expect(isVerified(verification)).toBe(true)
    const found1 = await violations(database.url)
    expect(found1.filter((line) => !/balance-is-ledger-sum|legacy/.test(line))).toEqual([])

    expect(await retire(target)).toMatchObject({ rows: BigInt(old.transactions + 1) })
    expect(await status(target)).toMatchObject({ stage: 'retired', next: 'nothing' })
    await expect(found.db.query('delete from archive.token_transactions')).rejects.toThrow(/read-only/)
    await found.db.query(`select public.grant_annual_tokens($1, null, 'in_2', 'sub_1')`, [old.user])

    expect(await undo(target, 'retire')).toBe(true)
    expect(await status(target)).toMatchObject({ stage: 'unify', plan: [] })
    expect((await migrate(target, 'unify')).nothingToDo).toBe(true)
    expect(await undo(target, 'unify')).toBe(true)
    const back = await status(target)
    expect(back).toMatchObject({ stage: 'view', next: 'unify', shapes: viewed.shapes })
    expect((await migrate(target, 'unify')).changed.every(({ what }) => what === 'keyed')).toBe(true)
    expect(await undo(target, 'unify')).toBe(true)
    expect(await undo(target, 'view')).toBe(true)
    expect(await undo(target, 'view')).toBe(false)
    const last = await status(target)
    expect(last).toMatchObject({ stage: 'as-found', recorded: [], next: 'view' })
    expect(last.shapes).toEqual(first.shapes)
  })
})

/** A user's history in both sign conventions, all of it of known direction. */
async function fill(
  found: Found,
  install: Install,
): Promise<{ user: string; total: number; transactions: number }> {
  const user = await found.user()
  const rows = [
    ['pack_purchase', 2_000_000, 0, 2_000_000],
    ['chat', 500, 2_000_000, 1_999_500],
    ['refinement', -500, 1_999_500, 1_999_000],
    ['renewal_grant', -375_000, 1_999_000, 2_374_000],
    ['manual_adjustment', 1_000, 2_374_000, 2_375_000],
    ['manual_adjustment', 1_000, 2_375_000, 2_374_000],
  ] as const
  for (const [i, [type, tokens, before, after]] of rows.entries()) {
    await insertLegacy(found.db, install, user, { type, tokens, before, after, at: DAY(i + 1) })
  }
  if (install.drips) {
    await found.db.query(
      `insert into public.token_drips
         (user_id, drip_amount, drip_date, cycle_number, expired_tokens, balance_before, balance_after)
       values ($1, 375000, $2, 1, 2374000, 2374000, 375000)`,
      [user, DAY(20)],
    )
  }
  const balance = install.drips ? 375_000 : 2_374_000
  await found.db.query(
    'update public.user_profiles set vibe_assistant_tokens_remaining = $2 where user_id = $1',
    [user, balance],
  )
  return { user, total: balance, transactions: rows.length }
}

/** The action types that token_usage lets in, by its CHECKs' own text. */
async function checkedTypes(found: Found): Promise<string[]> {
  const { rows } = await found.db.query<{ def: string }>(
    `select pg_get_constraintdef(c.oid) as def from pg_constraint as c
     where c.conrelid = 'public.token_usage'::regclass and c.contype = 'c'
       and c.conname in ('token_usage_action_type_check', 'usage_types')`,
  )
  return rows.flatMap(({ def }) =>
    [...def.matchAll(/'((?:[^']|'')*)'/g)].flatMap(([, quoted = '']) => {
      const text = quoted.replaceAll("''", "'")
      return text.startsWith('{')
        ? text
            .slice(1, -1)
            .split(',')
            .map((type) => type.trim().replace(/^"|"$/g, ''))
        : [text]
    }),
  )
}
