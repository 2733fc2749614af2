import { parsePlan } from '../engine/plan.ts'
import type { Regression } from '../engine/regression.ts'
import { person, step, story } from '../engine/voices.ts'

const ann = person('ann')

// The audit that goes back to the last reset only: it said of the second reset that it took tokens that had been bought
// and used up long before.
export const keptPacksUsedUpBeforeReset: Regression = {
  story: story({
    name: 'packs-used-up-before-reset',
    title: 'packs that were used up are not taken by a later reset',
    people: [ann],
    steps: [
      step(ann.buys('power'), ann.getsPack(2_000_000n), ann.has(2_000_000n)),
      step(
        ann.uses(2_000_000n, 'chat_conversation'),
        ann.spends(2_000_000n, { action: 'chat_conversation' }),
        ann.has(0n),
      ),
      step(ann.startsAnnual(), ann.getsPlan(5_000_000n), ann.has(5_000_000n)),
      step(ann.renews(), ann.losesRest(5_000_000n), ann.getsPlan(5_000_000n), ann.has(5_000_000n)),
    ],
    asFound: {
      red: ['balance-is-ledger-sum-as-found', 'evidence-has-grant', 'legacy-row-in-ledger-as-found'],
      redTwice: [
        'balance-is-ledger-sum-as-found',
        'evidence-has-grant',
        'grant-has-evidence',
        'legacy-row-in-ledger-as-found',
        'one-grant-per-fact',
      ],
    },
  }),
  plan: parsePlan('in-order'),
}
