import { describe, expect } from 'vitest'
import { adjust } from '../../fixtures/migrations/adjust.ts'
import { differences } from '../../fixtures/migrations/differences.ts'
import { toCsv } from '../../fixtures/migrations/reviewed.ts'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import type { Found } from './found.ts'
import { mendAll, unify } from './road.ts'
import { test } from './test.ts'
import { violations } from './violations.ts'

const ANN = '00000000-0000-4000-8000-000000000001'

describe('with evidence', () => {
  test('a year that was granted once needs nothing', async ({ asFound: { database, found } }) => {
    await found.annual(await found.user(), 'sub_a', 'in_1')
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({})
    expect(await found.ledger(ANN)).toEqual([
      expect.stringMatching(/^subscription_grant 5000000 legacy:token_transactions:/),
    ])
  })

  // Would catch: a trial that is granted once more, although the balance has had it all along.
  test('a trial gets the row that it never had, and the balance stays', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user()
    await found.trial(ann, 'sub_a', 1_000_000)
    await found.use(ann, 300_000)
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: ['ledger trial_grant 1000000 trial:sub_a'],
    })
    expect(await found.balance(ann)).toBe(700_000)
  })

  // Would catch: taking what the year swallowed for tokens that are still there.
  test('a trial whose rest a year replaced', async ({ asFound: { database, found } }) => {
    const ann = await found.user()
    await found.trial(ann, 'sub_a', 1_000_000)
    await found.use(ann, 200_000)
    await found.annual(ann, 'sub_a', 'in_1')
    await found.use(ann, 50_000)
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: [
        'ledger trial_grant 1000000 trial:sub_a',
        'ledger admin_deduct 800000 opening: annual grant replaced the balance',
      ],
    })
    expect(await found.balance(ann)).toBe(4_950_000)
  })

  test('a pack that a year replaced', async ({ asFound: { database, found } }) => {
    const ann = await found.user()
    await found.pack(ann, 2_000_000, 'cs_1')
    await found.annual(ann, 'sub_a', 'in_1')
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: ['ledger admin_deduct 2000000 opening: annual grant replaced the balance'],
    })
  })

  test('drips, with one that let everything expire, need nothing', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user()
    for (const n of [1, 2, 3, 4, 5]) await found.drip(ann, 'sub_a', `in_${n}`)
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({})
    expect(await found.balance(ann)).toBe(375_000)
    expect(
      (await found.ledger(ann)).filter((entry) => entry.startsWith('admin_deduct 1500000')),
    ).toHaveLength(1)
  })

  // The trial's tokens expired with the rest: without its row the ledger would be below zero.
  test('a trial that expired with the drips', async ({ asFound: { database, found } }) => {
    const ann = await found.user()
    await found.trial(ann, 'sub_a', 500_000)
    for (const n of [1, 2, 3, 4]) await found.drip(ann, 'sub_a', `in_${n}`)
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: ['ledger trial_grant 500000 trial:sub_a'],
    })
  })

  test('use beyond the balance', async ({ asFound: { database, found } }) => {
    const ann = await found.user()
    await found.pack(ann, 2_000_000, 'cs_1')
    await found.use(ann, 2_000_700)
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: ['ledger admin_grant 700 opening: overdraft stopped at 0'],
    })
  })

  // Would catch: an overdraft taken for a trial's tokens, or a lost pack for an overdraft's.
  test('a trial that was overdrawn, and a pack that was lost', async ({ asFound: { database, found } }) => {
    const ann = await found.user()
    await found.trial(ann, 'sub_a', 500_000)
    await found.use(ann, 3_000_000)
    await found.pack(ann, 2_000_000, 'cs_1', { times: 0 })
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: [
        'ledger trial_grant 500000 trial:sub_a',
        'ledger admin_grant 2500000 opening: overdraft stopped at 0',
        'grant token_pack_purchase 2000000 checkout_session:cs_1',
      ],
    })
    expect(await found.balance(ann)).toBe(2_000_000)
  })

  test('the default of 100 tokens, with and without a purchase', async ({ asFound: { database, found } }) => {
    const ann = await found.user({ balance: 100 })
    const ben = await found.user({ balance: 100 })
    await found.pack(ben, 2_000_000, 'cs_1')
    await unify(database, found)
    const line = ['ledger admin_grant 100 opening: default of 100 tokens']
    expect(await mendAll(database, found, found.evidence)).toEqual({ [ann]: line, [ben]: line })
  })

  // Would catch: taking the second grant back from a customer who can't know of our mistake.
  test('a pack that was granted twice is reversed, and stays with the customer', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user()
    await found.pack(ann, 5_000_000, 'cs_1', { times: 2 })
    await found.use(ann, 1_000)
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: [
        'ledger admin_deduct 5000000 opening (reverses): a grant that nobody earned',
        'ledger admin_grant 5000000 opening: a grant that nobody earned',
      ],
    })
    expect(await found.balance(ann)).toBe(9_999_000)
  })

  test('a pack whose payment never settled', async ({ asFound: { database, found } }) => {
    const ann = await found.user()
    await found.pack(ann, 2_000_000, 'cs_1', { settled: false })
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: [
        'ledger admin_deduct 2000000 opening (reverses): a grant that nobody earned',
        'ledger admin_grant 2000000 opening: a grant that nobody earned',
      ],
    })
  })

  test('a year that was granted twice', async ({ asFound: { database, found } }) => {
    const ann = await found.user()
    await found.annual(ann, 'sub_a', 'in_1', { times: 2 })
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: [
        'ledger admin_deduct 5000000 opening (reverses): a grant that nobody earned',
        'ledger admin_grant 5000000 opening: a grant that nobody earned',
        'ledger admin_deduct 5000000 opening: annual grant replaced the balance',
      ],
    })
  })

  test('a drip that was granted twice', async ({ asFound: { database, found } }) => {
    const ann = await found.user()
    await found.drip(ann, 'sub_a', 'in_1', { times: 2 })
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: [
        'ledger admin_deduct 375000 opening (reverses): a grant that nobody earned',
        'ledger admin_grant 375000 opening: a grant that nobody earned',
      ],
    })
  })

  // Would catch: writing the lost renewal down as if the customer had it.
  test('a renewal that was lost is granted for real', async ({ asFound: { database, found } }) => {
    const ann = await found.user()
    await found.annual(ann, 'sub_a', 'in_1')
    await found.use(ann, 4_000_000)
    await found.annual(ann, 'sub_a', 'in_2', { times: 0 })
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: ['grant subscription_grant 5000000 invoice:in_2'],
    })
    expect(await found.balance(ann)).toBe(5_000_000)
    expect((await found.ledger(ann)).slice(-2)).toEqual([
      'admin_deduct 1000000 invoice:in_2:reset',
      'subscription_grant 5000000 invoice:in_2',
    ])
  })

  test('drips that were lost are granted for real, cycle after cycle', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user()
    await found.drip(ann, 'sub_a', 'in_1')
    for (const n of [2, 3, 4]) await found.drip(ann, 'sub_a', `in_${n}`, { times: 0 })
    await unify(database, found)
    expect((await mendAll(database, found, found.evidence))[ann]).toEqual([
      'grant subscription_grant 375000 invoice:in_2',
      'grant subscription_grant 375000 invoice:in_3',
      'grant subscription_grant 375000 invoice:in_4',
    ])
    expect(await found.balance(ann)).toBe(1_500_000)
  })

  test('two packs bought at once, one granted', async ({ asFound: { database, found } }) => {
    const ann = await found.user()
    await found.pack(ann, 2_000_000, 'cs_1', { quantity: 2 })
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: ['grant admin_grant 2000000 admin:correction-checkout_session-cs_1-4000000 (corrects)'],
    })
    expect(await found.balance(ann)).toBe(4_000_000)
  })

  test('a pack that was granted too large keeps its surplus with the customer', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user()
    await found.pack(ann, 2_000_000, 'cs_1', { quantity: 0.5 })
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: [
        'ledger admin_deduct 1000000 opening (corrects): a grant too large',
        'ledger admin_grant 1000000 opening: a grant too large',
      ],
    })
  })

  // Would catch: copying the balance alone, or the draft's stale balance over the active one.
  test('a draft that was left behind', async ({ asFound: { database, found } }) => {
    const ann = await found.user({ draft: true })
    await found.drip(ann, 'sub_a', 'in_1')
    await found.use(ann, 5_000)
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({ [ann]: ['profiles'] })
    expect(await found.balance(ann)).toBe(370_000)
  })

  test('an admin who clicked twice', async ({ asFound: { database, found } }) => {
    const ann = await found.user()
    await found.admin(ann, 700, 'req-1', { times: 2 })
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: [
        'ledger admin_deduct 700 opening (reverses): a grant that nobody earned',
        'ledger admin_grant 700 opening: a grant that nobody earned',
      ],
    })
  })

  test('admin requests that never came through', async ({ asFound: { database, found } }) => {
    const ann = await found.user({ balance: 0 })
    await found.pack(ann, 2_000_000, 'cs_1')
    await found.admin(ann, -500, 'req-1', { times: 0 })
    await found.admin(ann, 300, 'req-2', { times: 0 })
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: ['grant admin_deduct 500 admin:req-1', 'grant admin_grant 300 admin:req-2'],
    })
    expect(await found.balance(ann)).toBe(1_999_800)
  })

  // Would catch: a trial granted again because use without rows has eaten a part of its tokens.
  test('use that the CHECK refused was charged without a row', async ({ asFound: { database, found } }) => {
    const ann = await found.user()
    await found.trial(ann, 'sub_a', 1_000_000)
    await found.use(ann, 200_000, { row: false })
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: [
        'ledger trial_grant 1000000 trial:sub_a',
        'ledger admin_deduct 200000 opening: use charged without a row',
      ],
    })
  })

  test('one user with everything', async ({ asFound: { database, found } }) => {
    const ann = await found.user({ balance: 100, draft: true })
    await found.trial(ann, 'sub_a', 1_000_000)
    await found.use(ann, 400_000)
    await found.pack(ann, 2_000_000, 'cs_1', { times: 2 })
    await found.annual(ann, 'sub_a', 'in_1', { times: 2 })
    await found.pack(ann, 5_000_000, 'cs_2', { times: 3 })
    await found.use(ann, 1_000_000, { success: false })
    await found.admin(ann, -250, 'req-1')
    await found.pack(ann, 12_000_000, 'cs_3', { times: 0 })
    await unify(database, found)
    expect((await mendAll(database, found, found.evidence))[ann]).toEqual([
      'ledger trial_grant 1000000 trial:sub_a',
      ...[2_000_000, 5_000_000, 5_000_000, 5_000_000].flatMap((tokens) => [
        `ledger admin_deduct ${tokens} opening (reverses): a grant that nobody earned`,
        `ledger admin_grant ${tokens} opening: a grant that nobody earned`,
      ]),
      // 4,600,000 of trial and packs went with the first year, and that year itself with the second.
      'ledger admin_deduct 9600000 opening: annual grant replaced the balance',
      'grant token_pack_purchase 12000000 checkout_session:cs_3',
      'profiles',
    ])
    expect(await found.balance(ann)).toBe(20_000_000 - 250 + 12_000_000)
  })

  // Would catch: an opening adjustment that is left in place and the same tokens posted once more as a trial.
  test('evidence that comes later takes the place of an opening adjustment', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user()
    await found.trial(ann, 'sub_a', 1_000_000)
    await unify(database, found)
    expect(await mendAll(database, found)).toEqual({
      [ann]: ['ledger admin_grant 1000000 opening: a trial granted without a row'],
    })
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: [
        'ledger trial_grant 1000000 trial:sub_a',
        'ledger admin_deduct 1000000 opening: an earlier opening adjustment no longer fits',
      ],
    })
    expect(await found.balance(ann)).toBe(1_000_000)
  })
})

describe('without evidence', () => {
  test('each cause is named, and one adjustment a user mends it', async ({
    asFound: { database, found },
  }) => {
    const replaced = await found.user()
    await found.pack(replaced, 2_000_000, 'cs_1')
    await found.annual(replaced, 'sub_a', 'in_1')
    const trial = await found.user()
    await found.trial(trial, 'sub_b', 500_000)
    await found.use(trial, 1_000)
    const overdrawn = await found.user()
    await found.admin(overdrawn, 500, 'req-1')
    await found.use(overdrawn, 600)
    const start = await found.user({ balance: 100 })
    const charged = await found.user({ balance: 0 })
    await found.admin(charged, 500, 'req-2')
    await found.use(charged, 200, { row: false })
    const both = await found.user({ balance: 100 })
    await found.use(both, 150)
    const strange = await found.user({ balance: 4_321 })
    const right = await found.user()
    await found.annual(right, 'sub_c', 'in_2')
    await unify(database, found)
    expect(await mendAll(database, found)).toEqual({
      [replaced]: ['ledger admin_deduct 2000000 opening: annual grant replaced the balance'],
      [trial]: ['ledger admin_grant 500000 opening: a trial granted without a row'],
      [overdrawn]: ['ledger admin_grant 100 opening: overdraft stopped at 0'],
      [start]: ['ledger admin_grant 100 opening: default of 100 tokens'],
      [charged]: ['ledger admin_deduct 200 opening: use charged without a row'],
      // A default of 100 would explain only a part of it; the overdraft explains all.
      [both]: ['ledger admin_grant 150 opening: overdraft stopped at 0'],
      [strange]: ['ledger admin_grant 4321 opening: unknown'],
    })
  })

  test('rows that name one session or payment twice are seen without evidence', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user()
    await found.pack(ann, 2_000_000, 'cs_1', { times: 3 })
    await unify(database, found)
    expect(await mendAll(database, found)).toEqual({
      [ann]: Array(2)
        .fill([
          'ledger admin_deduct 2000000 opening (reverses): a grant that nobody earned',
          'ledger admin_grant 2000000 opening: a grant that nobody earned',
        ])
        .flat(),
    })
  })
})

describe('while the app goes on', () => {
  const after = async (found: Found, ann: string) => {
    await found.db.query(`select public.record_token_usage($1, 'chat_conversation', 'gpt-5', 1000)`, [ann])
    await found.db.query(`select public.grant_token_pack($1, 2000000, 'cs_new', 'pi_new', 'power')`, [ann])
    await found.db.query(`select public.adjust_tokens($1, -700, 'req-new')`, [ann])
  }

  // Would catch: openings dated now, or carrying balances: the chain of the rows since unify would break.
  test('rows written between unify and adjust stay chained', async ({ asFound: { database, found } }) => {
    const ann = await found.user({ balance: 100 })
    await found.trial(ann, 'sub_a', 1_000_000)
    await found.use(ann, 30_000)
    await unify(database, found)
    await after(found, ann)
    expect((await mendAll(database, found))[ann]).toEqual([
      'ledger admin_grant 1000100 opening: default of 100 tokens + a trial granted without a row',
    ])
    expect(await found.balance(ann)).toBe(100 + 1_000_000 - 30_000 - 1_000 + 2_000_000 - 700)
  })

  // Would catch: taking the trial for lost because the year since unify has taken its tokens by a row of its own.
  test('a year granted between unify and adjust', async ({ asFound: { database, found } }) => {
    const ann = await found.user()
    await found.trial(ann, 'sub_a', 1_000_000)
    await found.annual(ann, 'sub_a', 'in_1', { times: 0 })
    await unify(database, found)
    await found.db.query(`select public.grant_annual_tokens($1, null, 'in_1', 'sub_a')`, [ann])
    expect((await mendAll(database, found, found.evidence))[ann]).toEqual([
      'ledger trial_grant 1000000 trial:sub_a',
    ])
    expect(await found.balance(ann)).toBe(5_000_000)
  })

  test('use between the review and the posting does not stale the file', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user({ balance: 100 })
    await unify(database, found)
    const target = parseTarget(database.url)
    const csv = Buffer.from(toCsv(await differences(target)))
    await found.db.query(`select public.record_token_usage($1, 'chat_conversation', 'gpt-5', 60)`, [ann])
    await adjust(target, csv)
    expect(await violations(database.url)).toEqual([])
    expect(await found.balance(ann)).toBe(40)
  })
})
