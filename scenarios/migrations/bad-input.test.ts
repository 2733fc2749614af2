import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { describe, expect } from 'vitest'
import { differences } from '../../fixtures/migrations/differences.ts'
import { toCsv } from '../../fixtures/migrations/reviewed.ts'
import { migrate, readMigration } from '../../fixtures/migrations/run.ts'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import { isVerified, verify } from '../../fixtures/migrations/verify.ts'
import { withDatabase } from '../../fixtures/postgres/connection.ts'
import { command } from './cli.ts'
import { insertLegacy } from './installs.ts'
import { mendAll, unify } from './road.ts'
import { test as base } from './test.ts'

const FIRST = { transactions: 'first' } as const
const AT = '2025-03-01T10:00:00Z'
const MAX = 2_147_483_647

const test = base.extend('folder', async ({ onTestFinished }) => {
  const folder = await mkdtemp(join(tmpdir(), 'migrate-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return folder
})

// Would catch: a command that walks on a shape that it doesn't know, or that ends with a stack trace.
test('a shape that is not known: each command says so, and writes nothing', async ({
  asFound: { database, found },
}) => {
  const ann = await found.user()
  await insertLegacy(found.db, FIRST, ann, { type: 'chat', tokens: 9, before: 9, after: 0, at: AT })
  await found.db.query('alter table public.token_drips rename column drip_amount to amount')
  const before = await found.everything()
  const runs = await Promise.all(
    [['status'], ['view'], ['unify'], ['unify', '--dry-run'], ['verify'], ['retire']].map((args) =>
      command(...args, '--database', database.url),
    ),
  )
  for (const { code, err } of runs) {
    expect(code).toBe(2)
    expect(err).toMatch(
      /^migrate: .*public\.token_drips has a shape that the road does not know: .*column drip_amount is missing\n$/,
    )
  }
  expect(runs[0]?.out).toMatch(/^ {2}token_drips: unknown$/m)
  expect(await found.everything()).toEqual(before)
})

describe('an older run that was left half-way', () => {
  // Would catch: "if not exists", which takes an index that holds nothing for the one that lets no grant in twice.
  test('in the build of an index, is finished: the index is built anew', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user()
    await found.pack(ann, 2_000_000, 'cs_1')
    for (const name of ['view', 'unify-1-plan', 'unify-2-prepare'] as const) {
      await found.db.query((await readMigration(name)).sql)
    }
    const sql = 'create unique index concurrently token_usage_grant_key on public.token_usage (grant_key)'
    // It waits for whoever writes the table, and is cancelled there.
    await found.db.query('begin')
    await found.db.query('lock table public.token_usage in row exclusive mode')
    await withDatabase(database.url, async (builder) => {
      await builder.query("set lock_timeout = '50ms'")
      await expect(builder.query(sql)).rejects.toThrow('lock timeout')
    })
    await found.db.query('rollback')
    const valid = `select i.indisvalid as valid from pg_index as i
      where i.indexrelid = 'public.token_usage_grant_key'::regclass`
    expect((await found.db.query(valid)).rows).toEqual([{ valid: false }])

    await unify(database, found)
    expect((await found.db.query(valid)).rows).toEqual([{ valid: true }])
  })

  // Would catch: what an older version of the files made, taken for ours by its name.
  test('is finished, and ends as a new one does', async ({ asFound: { database, found }, databases }) => {
    const ann = await found.user()
    await found.pack(ann, 2_000_000, 'cs_1', { times: 2 })
    await found.annual(ann, 'sub_a', 'in_1')
    for (const name of ['view', 'unify-1-plan', 'unify-2-prepare'] as const) {
      await found.db.query((await readMigration(name)).sql)
    }
    await found.db.query(`
      alter table public.token_ledger_stage drop column applied_by;
      alter table public.token_usage drop constraint token_usage_size, drop constraint token_usage_grant_key_shape;
      alter table public.token_usage
        add constraint token_usage_size check (tokens_used > -5),
        add constraint token_usage_grant_key_shape check (grant_key ~ ':') not valid;
      create index token_usage_grant_key on public.token_usage (grant_key);
      drop trigger token_ledger_mirror on public.token_drips;
      drop view public.token_ledger_payments`)
    expect((await command('status', '--database', database.url)).out).toMatch(/^stage: unify under way$/m)
    expect(await command('unify', '--database', database.url)).toMatchObject({ code: 0, err: '' })

    const unified = await databases.create('unified')
    const sql = `select string_agg(concat_ws(' ', conname, pg_get_constraintdef(oid), convalidated), E'\\n' order by conname) as rules
      from pg_constraint where conrelid = 'public.token_usage'::regclass`
    const fresh = new Client(unified.url)
    await fresh.connect()
    const { rows: expected } = await fresh.query(sql).finally(() => fresh.end())
    await unified.drop()
    expect((await found.db.query(sql)).rows).toEqual(expected)
    await unify(database, found)
    await mendAll(database, found, found.evidence)
    expect(isVerified(await verify(parseTarget(database.url)))).toBe(true)
  })

  test('with keys that nobody knows, is said by the line that names the rule; mended, it goes on', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user()
    await found.pack(ann, 2_000_000, 'cs_1')
    await found.db.query(`alter table public.token_usage add column grant_key text`)
    await found.db.query(`update public.token_usage set grant_key = 'stripe/cs_1'`)
    const before = await found.balances()
    const { code, out, err } = await command('unify', '--database', database.url)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(
      /^migrate: .*unify stopped on its way: .*"token_usage_grant_key_shape" .*run unify again, .*\n$/,
    )
    await found.db.query(`update public.token_usage set grant_key = 'checkout_session:cs_1'`)
    await unify(database, found)
    expect(await found.balances()).toEqual(before)
    expect(await found.ledger(ann)).toEqual(['admin_grant 2000000 checkout_session:cs_1'])
  })
})

test('metadata that is no object, in every table', async ({ asFound: { database, found } }) => {
  const ann = await found.user({ balance: 20 })
  for (const metadata of ['[1]', '"text"', '7', 'null', null]) {
    await found.db.query(
      `insert into public.token_transactions (user_id, action_type, tokens_used, tokens_remaining, metadata)
       values ($1, 'admin_grant', 1, 0, $2)`,
      [ann, metadata],
    )
    await found.db.query(
      `insert into public.token_drips (user_id, drip_amount, cycle_number, balance_before, balance_after, metadata)
       values ($1, 2, 1, 0, 2, $2)`,
      [ann, metadata],
    )
    await found.db.query(
      `insert into public.token_usage (user_id, action_type, model_used, tokens_used, metadata)
       values ($1, 'admin_grant', 'admin', 3, $2)`,
      [ann, metadata],
    )
  }
  const before = await found.everything()
  await unify(database, found)
  expect(await mendAll(database, found)).toEqual({
    [ann]: [expect.stringMatching(/^ledger admin_deduct 10 opening: /)],
  })
  expect(isVerified(await verify(parseTarget(database.url)))).toBe(true)
  const { rows } = await found.db.query(
    `select jsonb_agg(metadata -> 'legacy_metadata') filter (where tokens_used = 3) as kept,
       bool_and(jsonb_typeof(metadata) = 'object') as objects from public.token_usage`,
  )
  expect(rows[0].objects).toBe(true)
  expect(rows[0].kept).toHaveLength(5)
  expect(rows[0].kept).toEqual(expect.arrayContaining([[1], 'text', 7, null]))
  expect(await command('unify', '--undo', '--database', database.url)).toMatchObject({ code: 0, err: '' })
  const { token_transactions, token_drips } = (await found.everything()) as Record<string, unknown>
  expect(before).toMatchObject({ token_transactions, token_drips })
})

describe('sizes at the limits', () => {
  // Would catch: a sum or a sign that overflows, and a difference that one row can't hold.
  test('the largest in both directions, and what they add up to', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user({ balance: MAX })
    for (const tokens of [MAX, -MAX, MAX]) {
      await insertLegacy(found.db, FIRST, ann, {
        type: 'renewal_grant',
        tokens,
        before: 0,
        after: MAX,
        at: AT,
      })
    }
    const ben = await found.user()
    for (const tokens of [MAX, -MAX]) {
      await insertLegacy(found.db, FIRST, ben, { type: 'chat', tokens, before: 0, after: 0, at: AT })
    }
    await found.db.query(
      `insert into public.token_usage (user_id, action_type, model_used, tokens_used)
       values ($1, 'chat_conversation', 'gpt', $2)`,
      [ben, MAX],
    )
    await migrate(parseTarget(database.url), 'view')
    const { rows } = await found.db.query(
      'select sum(delta)::text as total from public.token_ledger group by user_id',
    )
    expect(rows.map(({ total }) => total).toSorted()).toEqual([`${-3 * MAX}`, `${3 * MAX}`])
    await unify(database, found)
    expect(await mendAll(database, found)).toEqual({
      [ann]: Array(2).fill(expect.stringMatching(`^ledger admin_deduct ${MAX} opening: `)),
      [ben]: Array(3).fill(expect.stringMatching(`^ledger admin_grant ${MAX} opening: `)),
    })
    expect(isVerified(await verify(parseTarget(database.url)))).toBe(true)
  })

  // Would catch: a grant that is lost in silence because the balance can't hold it.
  test('a grant beyond what a balance can hold is refused, and nothing is written', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user({ balance: MAX - 1 })
    await unify(database, found)
    await mendAll(database, found)
    const before = await found.everything()
    await expect(
      found.db.query(`select public.grant_token_pack($1, 2000000, 'cs_1')`, [ann]),
    ).rejects.toThrow(/integer out of range/)
    expect(await found.everything()).toEqual(before)
  })

  // Would catch: a use of 0 whose copy verify takes for one of a row that is gone, so that nothing is ever retired.
  test('zero: use is copied, grants of nothing stay, and the road goes to its end', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user({ balance: 0 })
    for (const type of ['chat', 'renewal_grant', 'admin_deduct', 'manual_adjustment']) {
      await insertLegacy(found.db, FIRST, ann, { type, tokens: 0, before: 0, after: 0, at: AT })
    }
    await unify(database, found)
    expect(await found.ledger(ann)).toEqual(['chat_conversation 0'])
    expect(await mendAll(database, found)).toEqual({})
    expect(await command('verify', '--database', database.url)).toMatchObject({ code: 0, err: '' })
    expect(await command('retire', '--database', database.url)).toMatchObject({ code: 0, err: '' })
  })
})

// Would catch: two that interleave, and a second one that waits for ever or says that it is done.
test('two migrations at once: the second says that the first runs, whatever it is', async ({
  asFound: { database, found },
  folder,
}) => {
  const ann = await found.user()
  await insertLegacy(found.db, FIRST, ann, { type: 'chat', tokens: 9, before: 9, after: 0, at: AT })
  const file = join(folder, 'none.csv')
  await writeFile(file, toCsv({ database: '', findings: [] }))
  const { promise: midway, resolve: isMidway } = Promise.withResolvers<void>()
  const { promise: mayGoOn, resolve: goOn } = Promise.withResolvers<void>()
  const first = migrate(parseTarget(database.url), 'unify', {
    report: async () => {
      isMidway()
      await mayGoOn
    },
  })
  try {
    await midway
    const second = await Promise.all(
      [
        ['view'],
        ['unify'],
        ['unify', '--dry-run'],
        ['unify', '--undo'],
        ['adjust', '--file', file],
        ['retire'],
      ].map((args) => command(...args, '--database', database.url)),
    )
    for (const { code, out, err } of second) {
      expect({ code, out }).toEqual({ code: 2, out: '' })
      expect(err).toMatch(
        /^migrate: .*another migration is running on this database: wait for its end, .*\n$/,
      )
    }
    expect((await command('status', '--database', database.url)).out).toMatch(/^stage: unify under way$/m)
  } finally {
    goOn()
  }
  expect((await first).changed).toMatchObject([{ what: 'copied from token_transactions', rows: 1n }])
  expect((await differences(parseTarget(database.url))).byHand).toEqual([])
})
