import { expect } from 'vitest'
import type { Found } from './found.ts'
import { mendAll, unify } from './road.ts'
import { test } from './test.ts'

const setTo = (found: Found, user: string, balance: string) =>
  found.db.query(
    `update public.user_profiles set vibe_assistant_tokens_remaining = ${balance}
     where user_id = $1 and is_active and not is_draft`,
    [user],
  )

/** The script that summed a balance up anew, from the one table that it knew. */
const recalculate = (found: Found, user: string) =>
  setTo(
    found,
    user,
    `greatest(0, (select coalesce(sum(case when u.action_type = 'admin_grant' then u.tokens_used else -u.tokens_used end), 0)
       from public.token_usage as u where u.user_id = user_profiles.user_id))`,
  )

const backfill = (found: Found, user: string, tokens: number) =>
  found.db.query(
    `insert into public.token_usage (user_id, action_type, model_used, tokens_used, metadata)
     values ($1, 'admin_grant', 'script', $2, '{"backfilled_from": "token_transactions"}')`,
    [user, tokens],
  )

// Would catch: a cause taken for another one, and an adjustment that mends the ledger by the balance that a customer sees.
test('each known cause is told from the rows alone, and no adjustment moves a balance', async ({
  asFound: { database, found },
}) => {
  const expected: Record<string, string> = {}
  const expectLine = (user: string, line: string) => {
    expected[user] = `ledger ${line}`
  }

  const start = await found.user({ balance: 100 })
  await found.use(start, 30)
  expectLine(start, 'admin_grant 100 opening: default of 100 tokens')

  const drips = await found.user()
  await found.pack(drips, 2_000_000, 'cs_1')
  await found.drip(drips, 'sub_1', 'in_1')
  await found.use(drips, 40_000)
  await found.drip(drips, 'sub_1', 'in_2')
  await recalculate(found, drips)
  await found.use(drips, 1_000)
  await found.drip(drips, 'sub_1', 'in_3')
  expectLine(drips, 'admin_deduct 750000 opening: drips wiped by a recalculation of the balance')

  const year = await found.user()
  await found.annual(year, 'sub_2', 'in_4')
  await found.admin(year, 700, 'req-1')
  await recalculate(found, year)
  expectLine(
    year,
    'admin_deduct 5000000 opening: grants of token_transactions wiped by a recalculation of the balance',
  )

  const toNothing = await found.user()
  await found.drip(toNothing, 'sub_3', 'in_5')
  await found.use(toNothing, 40_001)
  await recalculate(found, toNothing)
  await found.admin(toNothing, 500, 'req-2')
  expectLine(
    toNothing,
    'admin_deduct 334999 opening: drips wiped by a recalculation of the balance + overdraft stopped at 0',
  )

  const overdrawn = await found.user()
  await found.admin(overdrawn, 500, 'req-3')
  await found.use(overdrawn, 612)
  expectLine(overdrawn, 'admin_grant 112 opening: overdraft stopped at 0')

  const replaced = await found.user()
  await found.pack(replaced, 2_000_000, 'cs_2')
  await found.use(replaced, 1_234)
  await found.annual(replaced, 'sub_4', 'in_6')
  expectLine(replaced, 'admin_deduct 1998766 opening: annual grant replaced the balance')

  const raised = await found.user()
  await found.pack(raised, 2_000_000, 'cs_3')
  await found.use(raised, 1_234)
  await setTo(found, raised, 'vibe_assistant_tokens_remaining + 50000')
  expectLine(raised, 'admin_grant 50000 opening: a round figure: set by hand')

  const set = await found.user()
  await found.pack(set, 2_000_000, 'cs_4')
  await found.use(set, 1_234)
  await setTo(found, set, '150000')
  await found.use(set, 0)
  expectLine(set, 'admin_deduct 1848766 opening: a round figure: set by hand')

  const doubled = await found.user()
  await found.annual(doubled, 'sub_5', 'in_7')
  for (let i = 0; i < 5; i++) await backfill(found, doubled, 5_000_000)
  await found.use(doubled, 77)
  expectLine(doubled, 'admin_deduct 25000000 opening: a backfill that ran several times')

  const swallowed = await found.user()
  await setTo(found, swallowed, '5000000')
  await found.use(swallowed, 17)
  expectLine(swallowed, 'admin_grant 5000000 opening: a grant without a row')

  const untold = await found.user()
  await found.pack(untold, 2_000_000, 'cs_5')
  await setTo(found, untold, '1234567')
  expectLine(untold, 'admin_deduct 765433 opening: unknown')

  await unify(database, found)
  expect(await mendAll(database, found)).toEqual(
    Object.fromEntries(Object.entries(expected).map(([user, line]) => [user, [line]])),
  )
})
