import { describe, expect } from 'vitest'
import { dryRun } from '../../fixtures/migrations/dry-run.ts'
import { migrate } from '../../fixtures/migrations/run.ts'
import { status } from '../../fixtures/migrations/status.ts'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import { verify } from '../../fixtures/migrations/verify.ts'
import { command } from './cli.ts'
import type { Found } from './found.ts'
import { insertLegacy } from './installs.ts'
import { test } from './test.ts'
import { violations } from './violations.ts'

const FIRST = { transactions: 'first' } as const
const AT = '2025-03-01T10:00:00Z'

async function inUsage(found: Found, user: string, type: string, tokens: number, metadata: unknown, at = AT) {
  await found.db.query(
    `insert into public.token_usage (user_id, action_type, model_used, tokens_used, metadata, created_at)
     values ($1, $2, 'script', $3, $4, $5)`,
    [user, type, tokens, JSON.stringify(metadata), at],
  )
}

describe('rows that are in both tables', () => {
  // Would catch: a copy beside the row that is there already, which doubles the grant in the ledger.
  test('are linked, one by one, by their payment or by the moment; what is one more is copied', async ({
    asFound: { database, found },
  }) => {
    const target = parseTarget(database.url)
    const ann = await found.user()
    const grant = { before: 0, after: 0, tokens: 500 }
    for (const at of ['2025-03-01T10:00:00Z', '2025-03-01T10:00:01Z', '2025-03-01T10:00:02Z']) {
      await insertLegacy(found.db, FIRST, ann, { ...grant, type: 'chat', at })
    }
    await inUsage(found, ann, 'chat_conversation', 500, {}, '2025-03-01T10:00:03Z')
    await inUsage(found, ann, 'chat_conversation', 500, {}, '2025-03-01T10:00:04Z')
    // The same size an hour later is another call.
    await inUsage(found, ann, 'chat_conversation', 500, {}, '2025-03-01T11:00:00Z')
    await insertLegacy(found.db, FIRST, ann, { ...grant, type: 'pack_purchase', at: AT, session: 'cs_1' })
    await inUsage(found, ann, 'admin_grant', 500, { stripe_session_id: 'cs_1' }, '2025-03-02T10:00:00Z')
    // Another payment, at the same moment.
    await insertLegacy(found.db, FIRST, ann, { ...grant, type: 'pack_purchase', at: AT, session: 'cs_2' })

    const { changed } = await migrate(target, 'unify')
    expect(changed.map(({ what, is, rows }) => `${what} ${is} ${rows}`)).toEqual([
      'copied from token_transactions chat_conversation 1',
      'copied from token_transactions token_pack_purchase 1',
      'linked with token_transactions token_pack_purchase 1',
      'linked with token_transactions chat_conversation 2',
    ])
    expect((await found.ledger(ann)).filter((entry) => entry.startsWith('token_pack'))).toEqual([
      'token_pack_purchase 500 checkout_session:cs_2',
      'token_pack_purchase 500 checkout_session:cs_1',
    ])
    expect(await verify(target)).toMatchObject({ unmatched: [], sumsOff: [] })
  })
})

describe('a payment that the two tables name differently', () => {
  // Would catch: a purchase counted twice because one table knows its session and the other its payment intent, and a
  // key that its own row does not bear out, by which the same purchase could be granted again.
  test('is one movement, whose row names all that either table knew', async ({
    asFound: { database, found },
  }) => {
    const target = parseTarget(database.url)
    const ann = await found.user({ balance: 1_500 })
    const inBoth = async (tokens: number, legacy: object, usage: object, usageAt: string) => {
      await found.db.query(
        `insert into public.token_transactions (user_id, action_type, tokens_used, tokens_remaining, metadata, created_at)
         values ($1, 'pack_purchase', $2, 0, $3, $4)`,
        [ann, tokens, legacy, AT],
      )
      await inUsage(found, ann, 'admin_grant', tokens, usage, usageAt)
    }
    const both = { stripe_session_id: 'cs_1', stripe_payment_intent: 'pi_1' }
    // An hour apart: the payment tells.
    await inBoth(400, { stripe_payment_intent: 'pi_1' }, both, '2025-03-01T11:00:00Z')
    // Nothing that could be compared: the moment tells.
    await inBoth(500, { stripe_session_id: 'cs_2' }, { stripe_payment_intent: 'pi_2' }, AT)
    // Other payments at the same moment.
    await inBoth(300, { stripe_session_id: 'cs_3' }, { stripe_session_id: 'cs_4' }, AT)

    await migrate(target, 'unify')
    expect((await found.ledger(ann)).sort()).toEqual([
      'token_pack_purchase 300 checkout_session:cs_3',
      'token_pack_purchase 300 checkout_session:cs_4',
      'token_pack_purchase 400 checkout_session:cs_1',
      'token_pack_purchase 500 checkout_session:cs_2',
    ])
    expect(await verify(target)).toMatchObject({ unmatched: [], sumsOff: [] })
    expect(await violations(database.url)).toEqual([])
  })
})

describe('a backfill that somebody has run five times', () => {
  // The database of the incident: 6 rows and 3,164,390 tokens, where 2 rows and 600,000 were right.
  test('is found, and each legacy row gets one counterpart', async ({ asFound: { database, found } }) => {
    const target = parseTarget(database.url)
    const ann = await found.user()
    await insertLegacy(found.db, FIRST, ann, {
      type: 'trial_grant',
      tokens: 500_000,
      before: 0,
      after: 500_000,
      at: AT,
    })
    for (let i = 0; i < 5; i++)
      await inUsage(found, ann, 'admin_grant', 500_000, { backfilled_from: 'token_transactions' })
    const before = await status(target)
    expect(before.findings.filter(({ what }) => what.startsWith('repeated backfills'))).toEqual([
      expect.objectContaining({ rows: 4n, users: 1n, standsInTheWay: false }),
    ])
    await migrate(target, 'unify')
    expect(await verify(target)).toMatchObject({ unmatched: [], sumsOff: [] })
  })
})

describe('renewals and drips', () => {
  // Would catch: an invoice's key for a grant that could as well be for another invoice.
  test('get the key of the one invoice that their subscription paid that day, and no other', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user()
    const { rows } = await found.db.query(
      `insert into public.customer_subscriptions (user_id, stripe_subscription_id) values ($1, 'sub_1') returning id`,
      [ann],
    )
    const subscription = rows[0].id
    const pay = (invoice: string, at: string) =>
      found.db.query(
        `insert into public.payment_history (user_id, subscription_id, stripe_invoice_id, amount, status, paid_at)
         values ($1, $2, $3, 9900, 'succeeded', $4)`,
        [ann, subscription, invoice, at],
      )
    const drip = (cycle: number, at: string) =>
      found.db.query(
        `insert into public.token_drips (user_id, subscription_id, drip_amount, drip_date, cycle_number, balance_before, balance_after)
         values ($1, $2, 375000, $3, $4, 0, 375000)`,
        [ann, subscription, at, cycle],
      )
    await pay('in_1', '2025-01-01T10:00:00Z')
    await drip(1, '2025-01-01T10:05:00Z')
    await pay('in_2', '2025-01-29T10:00:00Z')
    await pay('in_3', '2025-01-29T11:00:00Z')
    await drip(2, '2025-01-29T10:05:00Z')
    await migrate(parseTarget(database.url), 'unify')
    expect(await found.ledger(ann)).toEqual([
      'subscription_grant 375000 invoice:in_1',
      expect.stringMatching(/^subscription_grant 375000 legacy:token_drips:/),
    ])
  })
})

// Would catch: an audit that calls each expiry of an old drip a reset without its grant, once its invoice is known.
test('what a drip let expire goes with its grant, also where that has the key of an invoice', async ({
  asFound: { database, found },
}) => {
  const ann = await found.user()
  for (const n of [1, 2, 3, 4, 5]) await found.drip(ann, 'sub_1', `in_${n}`)
  await found.db.query(
    `insert into public.payment_history (user_id, subscription_id, stripe_invoice_id, amount, status, paid_at)
     select user_id, subscription_id, 'in_5', 9900, 'succeeded', drip_date from public.token_drips where expired_tokens > 0`,
  )
  await found.db.query(
    `update public.token_drips set drip_date = drip_date - interval '28 days' * (10 - cycle_number) where cycle_number < 5`,
  )
  await migrate(parseTarget(database.url), 'unify')
  expect((await found.ledger(ann)).map((entry) => entry.replace(/[0-9a-f-]{36}/, '…')).slice(-2)).toEqual([
    'admin_deduct 1500000 legacy:token_drips:…:reset',
    'subscription_grant 375000 invoice:in_5',
  ])
  expect(await violations(database.url)).toEqual([])
})

describe('what unify refuses, before it has written anything', () => {
  const cases: { what: string; sql: string; says: RegExp }[] = [
    {
      what: 'a row from tomorrow',
      sql: `insert into public.token_usage (user_id, action_type, model_used, tokens_used, created_at)
            select id, 'chat_conversation', 'gpt', 1, now() + interval '1 day' from auth.users`,
      says: /1 row\(s\) of the ledger lie in the future; the first: /,
    },
    {
      what: 'a legacy row from the end of time',
      sql: `insert into public.token_transactions (user_id, action_type, tokens_used, tokens_remaining, created_at)
            select id, 'chat', 1, 0, 'infinity' from auth.users`,
      says: /1 row\(s\) of the ledger lie in the future; the first: /,
    },
    {
      what: 'a drip from tomorrow',
      sql: `insert into public.token_drips (user_id, drip_amount, drip_date, cycle_number, balance_before, balance_after)
            select id, 375000, now() + interval '1 day', 1, 0, 375000 from auth.users`,
      says: /1 row\(s\) of the ledger lie in the future; the first: /,
    },
    {
      what: 'a grant of 0',
      sql: `insert into public.token_usage (user_id, action_type, model_used, tokens_used)
            select id, 'admin_grant', 'admin', 0 from auth.users`,
      says: /token_usage has 1 row\(s\) with a negative size, or a grant or deduction of 0; the first: /,
    },
    {
      what: 'metadata that is no JSON',
      sql: 'alter table public.token_usage alter metadata drop default, alter metadata type text',
      says: /token_usage has a shape that the road does not know: .*column metadata is text and not jsonb/,
    },
    {
      what: 'a legacy row of an unknown user',
      sql: `alter table public.token_transactions drop constraint token_transactions_user_id_fkey;
            insert into public.token_transactions (user_id, action_type, tokens_used, tokens_remaining)
            values ('00000000-0000-4000-8000-0000000000ff', 'chat', 1, 0)`,
      says: /legacy tables have 1 row\(s\) of users who are not in auth.users/,
    },
    {
      what: 'the smallest integer as a size',
      sql: `insert into public.token_transactions (user_id, action_type, tokens_used, tokens_remaining)
            select id, 'renewal_grant', -2147483648, 0 from auth.users`,
      says: /1 row\(s\) larger than token_usage.tokens_used can hold/,
    },
    {
      what: 'a column of another type',
      sql: 'alter table public.token_transactions alter tokens_used type numeric',
      says: /token_transactions has a shape that the road does not know: .*column tokens_used is numeric and not integer/,
    },
    {
      what: 'the columns of both shapes',
      sql: `alter table public.token_transactions add transaction_type text, add token_amount int,
              add balance_before int, add balance_after int, add source text`,
      says: /it has the columns of several: with action_type and tokens_used and with transaction_type and token_amount/,
    },
    {
      what: 'a column that every insert must fill',
      sql: 'alter table public.token_usage add tenant uuid not null',
      says: /columns that every insert must fill and that the road does not know: tenant uuid/,
    },
  ]
  test.for(cases)('$what', async ({ sql, says }, { asFound: { database, found } }) => {
    if (!sql.includes('tenant')) await found.user()
    await found.db.query(sql)
    const before = await status(parseTarget(database.url))
    const { code, err, out } = await command('unify', '--database', database.url)
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toMatch(says)
    expect(err.trim().split('\n')).toHaveLength(1)
    expect(await status(parseTarget(database.url))).toEqual(before)
  })
})

test('metadata that is no object stays with its row', async ({ asFound: { database, found } }) => {
  const ann = await found.user()
  await inUsage(found, ann, 'admin_grant', 5, ['a', 1])
  await inUsage(found, ann, 'admin_grant', 6, 'text')
  await migrate(parseTarget(database.url), 'unify')
  const { rows } = await found.db.query(
    `select metadata -> 'legacy_metadata' as was from public.token_usage order by tokens_used`,
  )
  expect(rows).toEqual([{ was: ['a', 1] }, { was: 'text' }])
})

test('a dry run changes nothing while somebody writes, and names users', async ({
  asFound: { database, found },
}) => {
  const ann = await found.user()
  await insertLegacy(found.db, FIRST, ann, { type: 'chat', tokens: 9, before: 9, after: 0, at: AT })
  const run = await dryRun(parseTarget(database.url), 'unify')
  expect(run.users).toEqual([
    {
      userId: ann,
      what: 'copied from token_transactions',
      was: 'chat',
      is: 'chat_conversation',
      rows: 1n,
      users: 1n,
      tokens: 9n,
    },
  ])
  expect(await status(parseTarget(database.url))).toMatchObject({ stage: 'as-found' })
})

// Would catch: a retirement that takes the only copy of a movement out of sight.
test('retire refuses while one row has no counterpart; then it archives, and drops on the right number alone', async ({
  asFound: { database, found },
}) => {
  const { url } = database
  const ann = await found.user()
  await insertLegacy(found.db, FIRST, ann, { type: 'chat', tokens: 9, before: 100, after: 91, at: AT })
  await insertLegacy(found.db, FIRST, ann, {
    type: 'manual_adjustment',
    tokens: 33,
    before: 0,
    after: 77,
    at: AT,
  })
  expect(await command('verify', '--database', url)).toMatchObject({
    code: 2,
    err: expect.stringMatching(/not unified/),
  })
  expect((await command('unify', '--database', url)).code).toBe(0)

  const verified = await command('verify', '--database', url)
  expect(verified).toMatchObject({ code: 1, err: '' })
  expect(verified.out).toMatch(
    /manual_adjustment 33 {2}has no counterpart: neither its type nor its balances tell/,
  )
  const refused = await command('retire', '--database', url)
  expect(refused).toMatchObject({ code: 1, err: '' })
  expect(refused.out).toMatch(/token_transactions was not retired/)
  expect((await command('status', '--database', url)).out).toMatch(/^stage: unify$/m)

  // Somebody has looked, and decides.
  await found.db.query(
    `insert into public.token_usage (user_id, action_type, model_used, tokens_used, grant_key, metadata, created_at)
     select t.user_id, 'admin_grant', 'legacy', 33, 'legacy:token_transactions:' || t.id,
       jsonb_build_object('legacy_table', 'token_transactions', 'legacy_id', t.id), t.created_at
     from public.token_transactions as t where t.action_type = 'manual_adjustment'`,
  )
  // The direction is still told by nothing, so the hand-made counterpart decides it.
  expect((await command('retire', '--database', url)).out).toMatch(
    /archive.token_transactions has 2 rows, read-only/,
  )
  expect(await command('retire', '--database', url, '--drop', '3')).toMatchObject({
    code: 2,
    err: expect.stringMatching(/has 2 rows and not 3: nothing was dropped/),
  })
  expect((await command('retire', '--database', url, '--drop', 'all')).code).toBe(3)
  // A user who is deleted takes the archived rows along.
  await found.db.query('delete from auth.users')
  expect((await command('retire', '--database', url, '--drop', '0')).out).toMatch(/its 0 rows are gone/)
  expect(await command('retire', '--database', url, '--undo')).toMatchObject({
    code: 2,
    err: expect.stringMatching(/what was dropped does not come back/),
  })
})
