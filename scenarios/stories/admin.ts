import { isRefused, person, step, story } from '../engine/voices.ts'
import { seenBy } from './findings.ts'

const dan = person('dan')
const una = person('una')

export const admins = [
  // Floors, rounds or forgets; writes the sign into tokens_used (M21).
  story({
    name: 'admin-grant-and-deduct',
    title: 'an admin gives and takes, each once',
    people: [dan],
    steps: [
      step(dan.isAdjusted(1_000n, 'gift'), dan.isGiven(1_000n), dan.has(1_000n)),
      step(dan.isAdjusted(-400n, 'correction'), dan.isTaken(400n), dan.has(600n)),
    ],
    asFound: { red: [], redTwice: seenBy('adjustedTwice') },
  }),

  // Records what was asked for and takes what is there, with nothing that says so; or goes below zero.
  story({
    name: 'admin-deducts-too-much',
    title: 'a deduction beyond the balance is recorded in full, stops at 0, and the audit says so',
    people: [dan],
    steps: [
      step(dan.isAdjusted(300n, 'gift'), dan.isGiven(300n), dan.has(300n)),
      step(dan.isAdjusted(-1_000n, 'correction'), dan.isTaken(1_000n, { moves: 300n }), dan.has(0n)),
    ],
    minor: ['overdraft'],
    asFound: { red: seenBy('overdraftClamped'), redTwice: seenBy('overdraftClamped', 'adjustedTwice') },
  }),

  // Has no request key: the second click is a second grant (M29).
  story({
    name: 'admin-double-click',
    title: 'two clicks on one form are one adjustment',
    people: [dan],
    steps: [step(dan.isAdjusted(500n, 'gift', { clicks: 2 }), dan.isGiven(500n), dan.has(500n))],
    asFound: { red: seenBy('adjustedTwice'), redTwice: seenBy('adjustedTwice') },
  }),

  // Takes a used request id for a repeat without a look at what is asked, or with half of one: at the size and not at
  // the direction, the reason or the user. The second adjustment is swallowed (M22, M29).
  story({
    name: 'admin-request-reused',
    title: 'a request id that was another adjustment is refused',
    people: [dan, una],
    steps: [
      step(dan.isAdjusted(500n, 'gift'), dan.isGiven(500n), dan.has(500n)),
      step(dan.isAdjusted(700n, 'gift'), isRefused),
      step(dan.isAdjusted(-500n, 'gift'), isRefused),
      step(dan.isAdjusted(500n, 'gift', { reason: 'for something else' }), isRefused),
      step(una.isAdjusted(500n, 'gift'), isRefused),
      step(dan.isAdjusted(700n, 'another-gift'), dan.isGiven(700n), dan.has(1_200n)),
    ],
    asFound: { red: seenBy('adjustedTwice'), redTwice: seenBy('adjustedTwice') },
  }),

  // Does not say which payment a deduction settles: its refund is reported for ever.
  story({
    name: 'admin-settles-refund',
    title: 'a deduction that names the refunded payment settles it, for a pack and for a plan',
    people: [dan],
    steps: [
      step(dan.buys('power'), dan.getsPack(2_000_000n), dan.has(2_000_000n)),
      step(dan.isRefunded('pack', 9_900n)),
      step(
        dan.isAdjusted(-2_000_000n, 'refund-of-pack', { settles: 'pack' }),
        dan.isTaken(2_000_000n),
        dan.has(0n),
      ),
      step(dan.starts28Day(), dan.getsPlan(375_000n), dan.has(375_000n)),
      step(dan.isRefunded('plan', 9_900n)),
      step(
        dan.isAdjusted(-375_000n, 'refund-of-plan', { settles: 'plan' }),
        dan.isTaken(375_000n),
        dan.has(0n),
      ),
    ],
    asFound: {
      red: seenBy('dripsOutsideLedger', 'refundKeptTokens'),
      redTwice: seenBy('dripsOutsideLedger', 'refundKeptTokens', 'packGrantedTwice', 'adjustedTwice'),
    },
  }),

  // Adds to a null, which stays one: the tokens are nowhere, and the row that says so carries no balances.
  story({
    name: 'null-balance',
    title: 'a balance that is null counts as nothing, and moves like any other',
    people: [dan],
    steps: [
      step(dan.balanceIsNull()),
      step(dan.isAdjusted(1_000n, 'gift'), dan.isGiven(1_000n), dan.has(1_000n)),
      step(dan.uses(400n), dan.spends(400n), dan.has(600n)),
    ],
    asFound: { red: [], redTwice: seenBy('adjustedTwice') },
  }),
]
