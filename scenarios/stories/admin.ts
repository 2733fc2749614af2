import { isRefused, person, step, story } from '../engine/voices.ts'
import { seenBy } from './findings.ts'

const dan = person('dan')

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
    steps: [step(dan.isAdjusted(500n, 'gift', 2), dan.isGiven(500n), dan.has(500n))],
    asFound: { red: seenBy('adjustedTwice'), redTwice: seenBy('adjustedTwice') },
  }),

  // Takes a used request id for a repeat without a look at what is asked, and swallows the second adjustment.
  story({
    name: 'admin-request-reused',
    title: 'a request id that was another adjustment is refused',
    people: [dan],
    steps: [
      step(dan.isAdjusted(500n, 'gift'), dan.isGiven(500n), dan.has(500n)),
      step(dan.isAdjusted(700n, 'gift'), isRefused),
      step(dan.isAdjusted(700n, 'another-gift'), dan.isGiven(700n), dan.has(1_200n)),
    ],
    asFound: { red: seenBy('adjustedTwice'), redTwice: seenBy('adjustedTwice') },
  }),
]
