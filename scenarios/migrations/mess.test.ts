import { describe, expect } from 'vitest'
import { differences } from '../../fixtures/migrations/differences.ts'
import { migrate } from '../../fixtures/migrations/run.ts'
import { status } from '../../fixtures/migrations/status.ts'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import { isVerified, verify } from '../../fixtures/migrations/verify.ts'
import type { Database } from '../../fixtures/postgres/databases.ts'
import type { Found } from './found.ts'
import { INSTALLS, insertLegacy } from './installs.ts'
import { mendAll, unify } from './road.ts'
import { test } from './test.ts'

/*
 * Ways in which this database has gone wrong before. Each story begins with such a database, walks the road (unify,
 * differences, adjust, verify) and ends where it must: with rows that add up, and balances as customers knew them.
 */

const FIRST = { transactions: 'first' } as const
const OLDER_ENUM = INSTALLS.find(({ name }) => name === 'with the older enum')

async function expectVerified({ url }: Database): Promise<void> {
  expect(isVerified(await verify(parseTarget(url)))).toBe(true)
}

async function setBalance(found: Found, user: string, balance: number): Promise<void> {
  await found.db.query(
    `update public.user_profiles set vibe_assistant_tokens_remaining = $2
     where user_id = $1 and is_active and not is_draft`,
    [user, balance],
  )
}

/** What status says stands in the way, without the figures. */
async function inTheWay({ url }: Database): Promise<string[]> {
  const { findings } = await status(parseTarget(url))
  return findings.filter(({ standsInTheWay }) => standsInTheWay).map(({ what }) => what)
}

describe('grants written to the wrong place or not at all', () => {
  // Would catch: a year that a customer paid for, taken for one that was in the balance all along.
  test('a function that raised on every call, while the webhook answered 200', async ({
    asFound: { database, found },
  }) => {
    await found.db.query(OLDER_ENUM?.sql ?? '')
    const ann = await found.user()
    await expect(found.annual(ann, 'sub_a', 'in_1')).rejects.toThrow(/invalid input value for enum/)
    await found.annual(ann, 'sub_a', 'in_1', { times: 0 })
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: ['grant subscription_grant 5000000 invoice:in_1'],
    })
    expect(await found.balance(ann)).toBe(5_000_000)
    await expectVerified(database)
  })

  test('a function called with arguments that fit two overloads, and so none', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user()
    await found.db.query(
      `create function public.drip_tokens_28day(p_user_id uuid, p_subscription_id uuid, p_cycle_number int, p_note text default '')
       returns jsonb language sql as $$ select '{}'::jsonb $$`,
    )
    await expect(found.drip(ann, 'sub_a', 'in_1')).rejects.toThrow(/is not unique/)
    await found.drip(ann, 'sub_a', 'in_1', { times: 0 })
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: ['grant subscription_grant 375000 invoice:in_1'],
    })
    const { rows } = await found.db.query(
      `select count(*)::int as functions from pg_proc where proname = 'drip_tokens_28day'`,
    )
    expect(rows).toEqual([{ functions: 1 }])
  })

  // Would catch: a year granted once more, although its tokens are in the balance and only its row was swallowed.
  test('a row swallowed by exception when others', async ({ asFound: { database, found } }) => {
    await found.db.query(`${OLDER_ENUM?.sql}
      create or replace function public.grant_annual_tokens(p_user_id uuid, p_subscription_id uuid)
      returns jsonb language plpgsql security definer as $$
      begin
        begin
          insert into public.token_transactions (user_id, action_type, tokens_used, tokens_remaining)
          values (p_user_id, 'annual_subscription_grant', -5000000, 5000000);
        exception when others then
          raise warning 'not logged: %', sqlerrm;
        end;
        update public.user_profiles set vibe_assistant_tokens_remaining = 5000000
        where user_id = p_user_id and is_active and not is_draft;
        return jsonb_build_object('success', true);
      end $$`)
    const ann = await found.user()
    await found.annual(ann, 'sub_a', 'in_1')
    await found.use(ann, 30_000)
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: ['ledger subscription_grant 5000000 invoice:in_1'],
    })
    expect(await found.balance(ann)).toBe(4_970_000)
    await expectVerified(database)
  })

  test('grants for a user without a profile, which answered success', async ({
    asFound: { database, found },
  }) => {
    const target = parseTarget(database.url)
    const year = await found.user({ profile: false })
    await found.annual(year, 'sub_a', 'in_1')
    const trial = await found.user({ profile: false })
    await found.trial(trial, 'sub_b', 500_000)
    expect((await status(target)).findings).toContainEqual({
      what: 'users with rows and no active profile',
      standsInTheWay: false,
      rows: 1n,
      users: 1n,
    })
    await unify(database, found)
    const seen = await differences(target, found.evidence)
    expect(seen.findings).toEqual([])
    expect(seen.byHand.toSorted()).toEqual([
      `user ${year}: 5000000 tokens in the ledger, and no active profile to hold them`,
      `user ${trial}: has no active profile, and is owed trial:sub_b`,
    ])
    // Somebody makes the profiles: one with what the ledger holds, one with what a new user has.
    for (const [user, balance] of [
      [year, 5_000_000],
      [trial, 0],
    ]) {
      await found.db.query(
        'insert into public.user_profiles (user_id, vibe_assistant_tokens_remaining) values ($1, $2)',
        [user, balance],
      )
    }
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [trial]: ['grant trial_grant 500000 trial:sub_b'],
    })
    expect(await found.balance(year)).toBe(5_000_000)
    expect(await found.balance(trial)).toBe(500_000)
  })
})

describe('signs and formulas', () => {
  // The script of the incident: it says INSERT 0 0 and ends well.
  test('a migration that filtered the wrong sign and moved nothing', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user({ balance: 600_000 })
    for (const [tokens, after] of [
      [-500_000, 500_000],
      [-100_000, 600_000],
    ] as const) {
      await insertLegacy(found.db, FIRST, ann, {
        type: 'renewal_grant',
        tokens,
        before: 0,
        after,
        at: '2025-03-01T10:00:00Z',
      })
    }
    const { rowCount } = await found.db.query(
      `insert into public.token_usage (user_id, action_type, model_used, tokens_used)
       select user_id, 'admin_grant', 'migration', tokens_used from public.token_transactions
       where action_type = 'renewal_grant' and tokens_used > 0`,
    )
    expect(rowCount).toBe(0)
    await unify(database, found)
    expect(await mendAll(database, found)).toEqual({})
    expect((await found.ledger(ann)).map((entry) => entry.replace(/ legacy:.*/, ''))).toEqual(
      expect.arrayContaining(['subscription_grant 500000', 'subscription_grant 100000']),
    )
    await expectVerified(database)
  })

  // granted 100,000, remaining −363,843: each grant's snapshot had the whole use of its user taken off.
  test('a formula that subtracted all use from each grant', async ({ asFound: { database, found } }) => {
    const ann = await found.user({ balance: 336_157 })
    for (const day of [1, 2, 3, 4, 5, 6, 7, 8]) {
      await insertLegacy(found.db, FIRST, ann, {
        type: 'admin_grant',
        tokens: 100_000,
        before: 0,
        after: -363_843,
        at: `2025-03-0${day}T10:00:00Z`,
      })
    }
    await found.db.query(
      `insert into public.token_usage (user_id, action_type, model_used, tokens_used)
       values ($1, 'chat_conversation', 'gpt', 463843)`,
      [ann],
    )
    await found.db.query(
      'update public.user_profiles set vibe_assistant_tokens_used = 463843 where user_id = $1',
      [ann],
    )
    await unify(database, found)
    expect(await mendAll(database, found)).toEqual({})
    await expectVerified(database)
  })

  // Would catch: a unify after which this user's every grant and use fails on a constraint.
  test('the same formula in a balance: it is said before, and unify waits for it', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user({ balance: -363_843 })
    expect(await inTheWay(database)).toEqual(['balances below 0'])
    const before = await found.everything()
    await expect(migrate(parseTarget(database.url), 'unify')).rejects.toThrow(
      /user_profiles has 1 row\(s\) with a balance below 0; the first: /,
    )
    expect(await found.everything()).toEqual(before)
    await setBalance(found, ann, 0)
    await unify(database, found)
    await found.db.query(`select public.grant_token_pack($1, 2000000, 'cs_1')`, [ann])
    expect(await found.balance(ann)).toBe(2_000_000)
  })
})

describe('balances', () => {
  // 600,100 shown, 167,222 due.
  test('a balance that use was never taken from', async ({ asFound: { database, found } }) => {
    const ann = await found.user({ balance: 100 })
    await found.admin(ann, 600_000, 'req-1')
    for (const tokens of [400_000, 32_878]) {
      await found.db.query(
        `insert into public.token_usage (user_id, action_type, model_used, tokens_used)
         values ($1, 'chat_conversation', 'gpt', $2)`,
        [ann, tokens],
      )
    }
    await unify(database, found)
    expect(await mendAll(database, found)).toEqual({
      [ann]: ['ledger admin_grant 432978 opening: default of 100 tokens + use never taken from the balance'],
    })
    expect(await found.balance(ann)).toBe(600_100)
  })

  test('profile rows that disagree: a draft, and an older version', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user({ draft: true })
    await found.db.query(
      `insert into public.user_profiles (user_id, is_active, is_draft, vibe_assistant_tokens_remaining)
       values ($1, false, false, 777)`,
      [ann],
    )
    await found.pack(ann, 2_000_000, 'cs_1')
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({ [ann]: ['profiles'] })
    const { rows } = await found.db.query(
      'select vibe_assistant_tokens_remaining as balance from public.user_profiles where user_id = $1',
      [ann],
    )
    expect(rows).toEqual(Array(3).fill({ balance: 2_000_000 }))
  })

  // Would catch: a pack granted again, or named a mystery, because two writers read the same balance.
  test('two writers that read the same balance: one raise is lost', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user()
    await found.pack(ann, 5_000_000, 'cs_1')
    await found.pack(ann, 2_000_000, 'cs_2')
    await setBalance(found, ann, 5_000_000)
    await found.use(ann, 1_000)
    await unify(database, found)
    expect(await mendAll(database, found, found.evidence)).toEqual({
      [ann]: ['ledger admin_deduct 2000000 opening: a row that never reached the balance'],
    })
    expect(await found.balance(ann)).toBe(4_999_000)
  })

  // Would catch: an adjustment that took 1,000 back, read as one that gave them: its snapshot is the grant's.
  test('snapshots computed before the row that they describe', async ({ asFound: { database, found } }) => {
    type Row = [type: string, tokens: number, remaining: number]
    const insert = async (balance: number, rows: Row[]) => {
      const user = await found.user({ balance })
      for (const [i, [type, tokens, after]] of rows.entries()) {
        const at = `2025-03-0${i + 1}T10:00:00Z`
        await insertLegacy(found.db, FIRST, user, { type, tokens, before: 0, after, at })
      }
      return user
    }
    const takenBack = await insert(0, [
      ['pack_purchase', 1_000, 0],
      ['manual_adjustment', 1_000, 1_000],
      ['chat', 0, 0],
    ])
    const two = await insert(1_000, [
      ['pack_purchase', 1_000, 0],
      ['manual_adjustment', 500, 1_000],
      ['manual_adjustment', 500, 1_500],
      ['chat', 0, 1_000],
    ])
    const newUser = await insert(50, [['manual_adjustment', 50, 0]])
    const after = await insert(1_000, [
      ['pack_purchase', 1_000, 1_000],
      ['manual_adjustment', 1_000, 2_000],
      ['manual_adjustment', 1_000, 1_000],
    ])
    const target = parseTarget(database.url)
    await migrate(target, 'unify')
    const { unmatched } = await verify(target)
    expect(unmatched.map(({ userId, tokens, fault }) => [userId, tokens, fault]).toSorted()).toEqual(
      [
        [takenBack, 1_000n],
        [two, 500n],
        [two, 500n],
        [newUser, 50n],
      ].map((row) => [...row, 'has no counterpart: neither its type nor its balances tell its direction']),
    )
    expect((await found.ledger(after)).map((entry) => entry.replace(/ legacy:.*/, ''))).toEqual([
      'token_pack_purchase 1000',
      'admin_grant 1000',
      'admin_deduct 1000',
    ])
  })

  test('a sum over a page of 1,000 rows', async ({ asFound: { database, found } }) => {
    const ann = await found.user()
    await found.admin(ann, 1_000_000, 'req-1')
    await found.db.query(
      `insert into public.token_usage (user_id, action_type, model_used, tokens_used, created_at)
       select $1, 'chat_conversation', 'gpt', 10 + n % 7, clock_timestamp() + n * interval '1 microsecond'
       from generate_series(1, 1500) as n`,
      [ann],
    )
    await found.db.query(
      `update public.user_profiles as p set
         vibe_assistant_tokens_remaining = (
           select sum(case u.action_type when 'admin_grant' then u.tokens_used else -u.tokens_used end) from (
             select * from public.token_usage where user_id = $1 order by created_at limit 1000) as u),
         vibe_assistant_tokens_used = (select sum(tokens_used) from public.token_usage where user_id = $1 and action_type <> 'admin_grant')
       where p.user_id = $1`,
      [ann],
    )
    const balance = await found.balance(ann)
    await unify(database, found)
    expect((await mendAll(database, found))[ann]?.map((line) => line.replace(/\d+/, 'n'))).toEqual([
      'ledger admin_grant n opening: a sum over 1,000 rows of the ledger',
    ])
    expect(await found.balance(ann)).toBe(balance)
  })
})

describe('migrations of the past', () => {
  test('a CHECK narrowed below stored rows', async ({ asFound: { database, found } }) => {
    const ann = await found.user()
    const narrow = (types: string) =>
      found.db.query(
        `alter table public.token_usage drop constraint token_usage_action_type_check,
           add constraint token_usage_action_type_check check (action_type in (${types})) not valid`,
      )
    await narrow(`'chat_conversation', 'frequency_flip', 'voice_profile_analysis'`)
    for (const type of ['frequency_flip', 'voice_profile_analysis']) {
      await found.db.query(
        `insert into public.token_usage (user_id, action_type, model_used, tokens_used) values ($1, $2, 'gpt', 0)`,
        [ann, type],
      )
    }
    await narrow(`'chat_conversation'`)
    // What the app is known to emit comes back by itself; what nobody knows could be a grant.
    expect(await inTheWay(database)).toEqual([
      'rows of token_usage whose type its CHECK does not allow and the app is not known to emit',
    ])
    await expect(migrate(parseTarget(database.url), 'unify')).rejects.toThrow(
      /action types that its CHECK does not allow: voice_profile_analysis/,
    )
    await narrow(`'chat_conversation', 'voice_profile_analysis'`)
    expect(await inTheWay(database)).toEqual([])
    await unify(database, found)
    expect(await mendAll(database, found)).toEqual({})
    await expectVerified(database)
  })

  test('a truncate … cascade that reached a ledger, before unify and after', async ({
    asFound: { database, found },
  }) => {
    const ann = await found.user()
    await found.annual(ann, 'sub_a', 'in_1')
    const ben = await found.user()
    await found.db.query('truncate public.customer_subscriptions cascade')
    await insertLegacy(found.db, FIRST, ben, {
      type: 'admin_grant',
      tokens: 500,
      before: 0,
      after: 500,
      at: '2025-03-01T10:00:00Z',
    })
    await setBalance(found, ben, 500)
    await unify(database, found)
    expect(await mendAll(database, found)).toMatchObject({
      [ann]: [expect.stringMatching(/^ledger admin_grant 5000000 opening: /)],
    })
    expect(await mendAll(database, found, found.evidence)).toMatchObject({
      [ann]: [expect.stringMatching(/ledger subscription_grant 5000000 invoice:in_1/), expect.anything()],
    })
    await found.db.query('truncate public.customer_subscriptions cascade')
    expect(await found.ledger(ben)).toContainEqual(expect.stringMatching(/^admin_grant 500 legacy:/))
    expect((await verify(parseTarget(database.url))).unmatched).toMatchObject([
      { userId: ben, fault: 'is gone, and its counterpart is there' },
    ])
  })

  // Would catch: `create unique index if not exists`, which takes any index of that name for the one that it wants.
  test.for([
    'create unique index token_usage_grant_key on public.token_usage (grant_key) where success',
    'create index token_usage_legacy_row on public.token_usage (user_id)',
  ])('ON CONFLICT without the matching unique index: %s', async (index, { asFound: { database, found } }) => {
    const ann = await found.user()
    await found.db.query('alter table public.token_usage add column grant_key text')
    await found.db.query(index)
    await expect(
      found.db.query(
        `insert into public.token_usage (user_id, action_type, model_used, tokens_used, grant_key)
         values ($1, 'admin_grant', 'script', 5, 'admin:req-1') on conflict (grant_key) do nothing`,
        [ann],
      ),
    ).rejects.toThrow(/no unique or exclusion constraint/)
    await found.pack(ann, 2_000_000, 'cs_1', { times: 2 })
    await unify(database, found)
    const { rows } = await found.db.query(
      `select indexdef from pg_indexes where indexname in ('token_usage_grant_key', 'token_usage_legacy_row') order by 1`,
    )
    expect(rows.map(({ indexdef }) => indexdef)).toEqual([
      'CREATE UNIQUE INDEX token_usage_grant_key ON public.token_usage USING btree (grant_key)',
      expect.stringMatching(/^CREATE UNIQUE INDEX token_usage_legacy_row ON .*'legacy_table'.*'legacy_id'/),
    ])
    await mendAll(database, found, found.evidence)
  })

  // 6 rows, 3,164,390 tokens, where 2 rows, 600,000 were right.
  test('a backfill run five times', async ({ asFound: { database, found } }) => {
    const ann = await found.user({ balance: 600_000 })
    for (const [type, tokens, day] of [
      ['renewal_grant', 500_000, 1],
      ['admin_grant', 100_000, 2],
    ] as const) {
      await insertLegacy(found.db, FIRST, ann, {
        type,
        tokens,
        before: 0,
        after: 0,
        at: `2025-03-0${day}T10:00:00Z`,
      })
    }
    for (const tokens of [500_000, 100_000, 500_000, 500_000, 982_195, 582_195]) {
      await found.db.query(
        `insert into public.token_usage (user_id, action_type, model_used, tokens_used, metadata)
         values ($1, 'admin_grant', 'script', $2, '{"backfilled_from": "token_transactions"}')`,
        [ann, tokens],
      )
    }
    await unify(database, found)
    expect(await mendAll(database, found)).toEqual({
      [ann]: ['ledger admin_deduct 3164390 opening: a backfill that ran several times'],
    })
    expect(await found.balance(ann)).toBe(600_000)
    await expectVerified(database)
  })
})
