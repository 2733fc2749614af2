import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { type Adjustment, adjust } from '../../fixtures/migrations/adjust.ts'
import { differences } from '../../fixtures/migrations/differences.ts'
import { toCsv } from '../../fixtures/migrations/reviewed.ts'
import { migrate } from '../../fixtures/migrations/run.ts'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import type { Database } from '../../fixtures/postgres/databases.ts'
import type { Found } from './found.ts'
import { linesOf } from './road.ts'
import { test as base } from './test.ts'

/** A unified database with one user of each sort, and the file that would mend it. */
const test = base.extend('reviewed', async ({ asFound: { database, found } }) => {
  const start = await found.user({ balance: 100 })
  const doubled = await found.user()
  await found.pack(doubled, 2_000_000, 'cs_1', { times: 2 })
  const trial = await found.user()
  await found.trial(trial, 'sub_a', 500_000)
  const lost = await found.user({ draft: true })
  await found.pack(lost, 5_000_000, 'cs_2', { times: 0 })
  await found.use(lost, 0)
  const target = parseTarget(database.url)
  await migrate(target, 'unify')
  await found.db.query(
    'update public.user_profiles set token_rollover_cycles = 1 where user_id = $1 and is_draft',
    [lost],
  )
  const csv = toCsv(await differences(target, found.evidence))
  return { database, found, csv, users: { start, doubled, trial, lost } }
})

const post = ({ url }: Database, csv: string): Promise<Adjustment> =>
  adjust(parseTarget(url), Buffer.from(csv))

/** Refused for this reason, and not one row of any table is another. */
async function refused(database: Database, found: Found, csv: string, why: RegExp): Promise<void> {
  const before = await found.everything()
  await expect(post(database, csv)).rejects.toThrow(why)
  expect(await found.everything()).toEqual(before)
}

const lines = (csv: string) => csv.trimEnd().split('\n')
/** The file with some lines struck out; the header stays. */
const without = (csv: string, pattern: RegExp) =>
  `${lines(csv)
    .filter((line, i) => i === 0 || !pattern.test(line))
    .join('\n')}\n`

test('every line is posted, and its row says which file and line it is from', async ({ reviewed }) => {
  const { database, found, csv, users } = reviewed
  const adjustment = await post(database, csv)
  expect(adjustment.posted).toEqual([
    { effect: 'ledger', actionType: 'admin_grant', lines: 2, tokens: 2_000_100n },
    { effect: 'ledger', actionType: 'admin_deduct', lines: 1, tokens: 2_000_000n },
    { effect: 'ledger', actionType: 'trial_grant', lines: 1, tokens: 500_000n },
    { effect: 'grant', actionType: 'token_pack_purchase', lines: 1, tokens: 5_000_000n },
    { effect: 'profiles', actionType: '', lines: 1, tokens: 0n },
  ])
  const hash = createHash('sha256').update(csv).digest('hex')
  expect(await found.ledger(users.start)).toEqual([`admin_grant 100 opening:${hash}:2`])
  const { rows } = await found.db.query(
    `select metadata - 'pack_id' as metadata, created_at = (select applied_at from token_ledger_stage where stage = 'unify') as "atUnify",
       balance_after
     from token_usage where user_id = any($1) order by user_id`,
    [[users.trial, users.lost]],
  )
  expect(rows[0]).toEqual({
    metadata: {
      stripe_subscription_id: 'sub_a',
      occurred_at: '2025-01-02T00:00:00.000Z',
      reason: 'a grant without a row',
      adjustment: `${hash}:5`,
    },
    atUnify: true,
    balance_after: null,
  })
  expect(rows.at(-1)).toMatchObject({
    metadata: { stripe_session_id: 'cs_2', stripe_payment_intent: 'pi_2', adjustment: `${hash}:6` },
    atUnify: false,
    balance_after: '5000000',
  })
})

// Would catch: a recomputation that posts what the database needs instead of what was reviewed.
test('struck-out lines are not posted, and are told as left', async ({ reviewed }) => {
  const { database, found, csv, users } = reviewed
  const { left, lines: posted } = await post(database, without(csv, /default of 100|reverses|nobody earned/))
  expect(posted).toBe(3)
  expect(linesOf(left)).toEqual({
    [users.start]: ['ledger admin_grant 100 opening: default of 100 tokens'],
    [users.doubled]: [
      'ledger admin_deduct 2000000 opening (reverses): a grant that nobody earned',
      'ledger admin_grant 2000000 opening: a grant that nobody earned',
    ],
  })
  expect(await found.ledger(users.start)).toEqual([])
})

test('an edited size is posted as it was edited', async ({ reviewed: { database, csv, users } }) => {
  const { left } = await post(database, csv.replace(',admin_grant,100,', ',admin_grant,60,'))
  expect(linesOf(left)).toEqual({
    [users.start]: ['ledger admin_grant 40 opening: an earlier opening adjustment no longer fits'],
  })
})

test('a file with all lines struck out posts nothing', async ({ reviewed: { database, found, csv } }) => {
  const before = await found.everything()
  expect(await post(database, `${lines(csv)[0]}\n`)).toMatchObject({ lines: 0, posted: [] })
  expect(await found.everything()).toEqual(before)
})

test('a spreadsheet may have changed line ends and put a mark before the first', async ({
  reviewed: { database, csv },
}) => {
  const saved = `\uFEFF${csv.replaceAll('\n', '\r\n')}\r\n`
  expect((await post(database, saved)).left.findings).toEqual([])
})

test('the same file is posted once, and so is a copy that a spreadsheet has saved anew', async ({
  reviewed: { database, found, csv },
}) => {
  await post(database, csv)
  await refused(database, found, csv, /nothing was written: this file was posted before/)
  await refused(database, found, csv.replaceAll('\n', '\r\n'), /line 2: user .* differs by 0 now, not by 100/)
})

// Would catch: the guard of the second posting resting on the difference alone, which a reversal leaves at 0.
test('no row is reversed twice, nor a grant made twice, by another file either', async ({ reviewed }) => {
  const { database, found, csv } = reviewed
  const reversal = without(csv, /default of 100|trial_grant|lost|profiles/)
  await post(database, reversal)
  await refused(database, found, `${reversal}\n`, /line 2: row .* was put right before/)
  const grant = without(csv, /default of 100|trial_grant|nobody|profiles/)
  await post(database, grant)
  await refused(database, found, `${grant}\n`, /line 2: checkout_session:cs_2 has its row already/)
  const profiles = without(csv, /default of 100|trial_grant|nobody|lost/)
  await post(database, profiles)
  await refused(database, found, profiles, /line 2: the profile rows of user .* agree already/)
})

test('a user whose difference is another by now refuses the whole file', async ({ reviewed }) => {
  const { database, found, csv, users } = reviewed
  await found.db.query(
    'update public.user_profiles set vibe_assistant_tokens_remaining = 101 where user_id = $1',
    [users.start],
  )
  await refused(database, found, csv, /line 2: user \S+1 differs by 101 now, not by 100: make the file anew/)
})

test('a grant that has come through by itself refuses the whole file', async ({ reviewed }) => {
  const { database, found, csv, users } = reviewed
  await found.db.query(`select public.grant_token_pack($1, 5000000, 'cs_2', 'pi_2', 'mega')`, [users.lost])
  await refused(database, found, csv, /line 6: checkout_session:cs_2 has its row already/)
})

test('a user who is gone refuses the whole file', async ({ reviewed: { database, found, csv, users } }) => {
  await found.db.query('delete from auth.users where id = $1', [users.trial])
  await refused(database, found, csv, /line 5: user \S+3 has no active profile here/)
})

test('a file of another database is refused', async ({ reviewed: { database, csv, found }, databases }) => {
  const other = await databases.create('unified')
  await refused(
    database,
    found,
    csv.replaceAll(`${database.name}@`, `${other.name}@`),
    /line 2: made for .*, this is/,
  )
  await expect(post(other, csv)).rejects.toThrow(/line 2: made for .*, this is/)
  await other.drop()
})

test('each unreadable line is named with its reason', async ({ reviewed: { database, found, csv } }) => {
  const cases: [string, string, RegExp][] = [
    ['admin_grant,100', 'admin_grant,100.5', /line 2: tokens "100.5" is no whole number above 0/],
    ['admin_grant,100', 'admin_grant,1e2', /line 2: tokens "1e2" is no whole number/],
    ['admin_grant,100', 'admin_grant,-100', /line 2: tokens "-100" is no whole number above 0/],
    [
      'admin_grant,100',
      'admin_grant,2147483648',
      /line 2: tokens "2147483648" is larger than one row can hold/,
    ],
    [
      'admin_grant,100',
      'subscription_grant,100',
      /line 2: action_type "subscription_grant" is no type for such/,
    ],
    ['ledger,admin_grant,100', 'grant,admin_grant,100', /line 2: grant_key "opening" is neither/],
    [
      'ledger,admin_grant,100',
      'gift,admin_grant,100',
      /line 2: effect "gift" is neither ledger, grant nor profiles/,
    ],
    ['100,0,100', '100,0,1OO', /line 2: difference "1OO" is no whole number/],
    ['trial:sub_a', 'legacy:x', /line 5: grant_key "legacy:x" is neither opening nor the key of a fact/],
    [
      'trial_grant',
      'token_pack_purchase',
      /line 5: token_pack_purchase is no type for a row under trial:sub_a/,
    ],
    [
      'token_pack_purchase,5000000',
      'token_pack_purchase,5000000000',
      /line 6: tokens .* larger than one row/,
    ],
    ['user_id,', 'user,', /the header is not the one that differences writes/],
    ['2000000,opening', '1000000,opening', /line 3: row .* would become 1000000 tokens, and 0 are owed/],
  ]
  for (const [was, is, why] of cases) {
    expect(csv).toContain(was)
    await refused(database, found, csv.replace(was, is), why)
  }
  await refused(database, found, `${csv}a,b\n`, /the file is no CSV: /)
  await refused(database, found, '', /the header is not the one/)
  await refused(database, found, csv + lines(csv)[4], /line 8: trial:sub_a has its row already/)
  await refused(
    database,
    found,
    csv + lines(csv)[2],
    /line 8: row .* is answered for by another line already/,
  )
})

// Would catch: lines posted one by one, so that a late failure leaves half a file behind.
test('a grant that the database refuses takes the whole file back', async ({ reviewed }) => {
  const { database, found, csv, users } = reviewed
  await found.db.query(`select public.adjust_tokens($1, 2147000000, 'req-1')`, [users.lost])
  await refused(database, found, csv, /line 6: integer out of range; the whole file was left unposted/)
})

test('a database that is not unified has no differences to list or post', async ({ databases }) => {
  const other = await databases.create('view')
  const target = parseTarget(other.url)
  await expect(differences(target)).rejects.toThrow(/is not unified: run npm run migrate -- unify first/)
  await other.drop()
})
