import { describe, expect, test } from 'vitest'
import { complaintsAbout, type StepOutcome } from './effects.ts'
import type { LedgerRow, ProfileRow, Snapshot } from './ledger.ts'
import { person, step } from './voices.ts'

const ann = person('ann')
const ANN = '00000000-0000-4000-8000-00000000000a'
const BEN = '00000000-0000-4000-8000-00000000000b'

const EARLIER: LedgerRow = {
  table: 'token_usage',
  id: 'earlier',
  userId: ANN,
  type: 'trial_grant',
  tokens: 100n,
  delta: 100n,
  key: 'trial:sub_1',
  fingerprint: 'a',
}
const PACK: LedgerRow = {
  table: 'token_usage',
  id: 'pack',
  userId: ANN,
  type: 'token_pack_purchase',
  tokens: 2_000n,
  delta: 2_000n,
  key: 'checkout_session:cs_1',
  fingerprint: 'b',
}
const PROFILE: ProfileRow = { id: 'p', userId: ANN, profile: 'active', balance: 2_100n }

/** After "ann buys a pack", where she had 100. */
function complaints(rows: readonly LedgerRow[], profiles: readonly ProfileRow[] = [PROFILE]): string[] {
  const before: Snapshot = { rows: [EARLIER], profiles: [{ ...PROFILE, balance: 100n }] }
  const outcome: StepOutcome = {
    step: step(ann.buys('power'), ann.getsPack(2_000n), ann.has(2_100n)),
    before,
    after: { rows, profiles },
    subjects: { checkout_session: 'cs_1' },
    users: new Map([['ann', ANN]]),
    balances: new Map([['ann', 2_100n]]),
  }
  return complaintsAbout(outcome)
}

test('exactly what was told is no complaint', () => {
  expect(complaints([EARLIER, PACK])).toEqual([])
})

describe('everything else is', () => {
  const missing = 'missing: token_pack_purchase 2,000 of ann (checkout_session:cs_1)'

  // Each is an engine that looks at sums, or at what it was told of alone.
  test.each<[string, LedgerRow[], string[]]>([
    ['a row that is not there', [EARLIER], [missing]],
    [
      'a second row',
      [EARLIER, PACK, { ...PACK, id: 'again' }],
      ['not told: token_usage: token_pack_purchase 2,000 of ann (checkout_session:cs_1)'],
    ],
    [
      'another user',
      [EARLIER, { ...PACK, userId: BEN }],
      [missing, `not told: token_usage: token_pack_purchase 2,000 of user ${BEN} (checkout_session:cs_1)`],
    ],
    [
      'another size, though it moved as much',
      [EARLIER, { ...PACK, tokens: 2_001n }],
      [
        missing,
        'not told: token_usage: token_pack_purchase 2,001 of ann, moved 2,000 (checkout_session:cs_1)',
      ],
    ],
    [
      'the key of another session',
      [EARLIER, { ...PACK, key: 'checkout_session:cs_2' }],
      [missing, 'not told: token_usage: token_pack_purchase 2,000 of ann (checkout_session:cs_2)'],
    ],
    [
      'an earlier row that has changed',
      [{ ...EARLIER, fingerprint: 'x' }, PACK],
      ['changed or gone: token_usage: trial_grant 100 of ann (trial:sub_1)'],
    ],
    [
      'an earlier row that is gone',
      [PACK],
      ['changed or gone: token_usage: trial_grant 100 of ann (trial:sub_1)'],
    ],
  ])('%s', (_, rows, told) => {
    expect(complaints(rows)).toEqual(told)
  })

  test('the balance, that of a draft, and that of a stranger', () => {
    const draft: ProfileRow = { id: 'd', userId: ANN, profile: 'draft', balance: 100n }
    const stranger: ProfileRow = { id: 's', userId: BEN, profile: 'active', balance: 7n }
    expect(complaints([EARLIER, PACK], [{ ...PROFILE, balance: 2_000n }, draft, stranger])).toEqual([
      'ann should have 2,100, but has 2,000',
      "ann's draft profile should have 2,100, but has 100",
      `the balance of user ${BEN} moved`,
    ])
  })
})

// The legacy tables are the invariants' business: an app that still writes them tells no lie in the ledger.
test('a row in a legacy table is no complaint', () => {
  expect(complaints([EARLIER, PACK, { ...PACK, id: 't', table: 'token_transactions' }])).toEqual([])
})
