import { isRefused, person, step, story } from '../engine/voices.ts'
import { seenBy } from './findings.ts'

const eve = person('eve')

export const uses = [
  // Charges a call that failed; writes the balance without the row, or the row without the balance (M20, M21).
  story({
    name: 'use',
    title: 'AI use takes its tokens, a failed call is recorded and takes none',
    people: [eve],
    steps: [
      step(eve.isAdjusted(10_000n, 'gift'), eve.isGiven(10_000n), eve.has(10_000n)),
      step(eve.uses(1_500n), eve.spends(1_500n), eve.has(8_500n)),
      step(eve.failsToUse(2_000n), eve.spends(2_000n, { moves: 0n })),
      step(
        eve.uses(8_500n, 'image_generation'),
        eve.spends(8_500n, { action: 'image_generation' }),
        eve.has(0n),
      ),
    ],
    asFound: { red: [], redTwice: seenBy('adjustedTwice') },
  }),

  // Clamps the balance at 0 and leaves no trace of what was given away.
  story({
    name: 'use-beyond-balance',
    title: 'use beyond the balance is recorded in full, stops at 0, and the audit says so',
    people: [eve],
    steps: [
      step(eve.isAdjusted(1_000n, 'gift'), eve.isGiven(1_000n), eve.has(1_000n)),
      step(eve.uses(2_500n), eve.spends(2_500n, { moves: 1_000n }), eve.has(0n)),
    ],
    minor: ['overdraft'],
    asFound: { red: seenBy('overdraftClamped'), redTwice: seenBy('overdraftClamped', 'adjustedTwice') },
  }),

  // Logs that the table refuses the type, and charges the balance all the same: an incident of the app's own.
  story({
    name: 'use-of-unknown-type',
    title: 'use of a type that the ledger does not know is refused, and nothing is charged',
    people: [eve],
    steps: [
      step(eve.isAdjusted(1_000n, 'gift'), eve.isGiven(1_000n), eve.has(1_000n)),
      step(eve.uses(400n, 'voice_profile_analysis'), isRefused),
    ],
    asFound: { red: seenBy('chargedWithoutRow'), redTwice: seenBy('chargedWithoutRow', 'adjustedTwice') },
  }),
]
