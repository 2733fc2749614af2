import {
  ourTierGetsItsPrice,
  ourTierLacksItsPrice,
  person,
  staysUndelivered,
  step,
  story,
} from '../engine/voices.ts'
import { seenBy } from './findings.ts'

const ann = person('ann')

export const annual = [
  // Grants at checkout.session.completed and at invoice.paid, which tell of one payment (M2). Books a reset of
  // nothing. Writes to token_transactions alone, as the app was found.
  story({
    name: 'annual-start',
    title: 'a year is granted once when it starts',
    people: [ann],
    steps: [step(ann.startsAnnual(), ann.getsPlan(5_000_000n), ann.has(5_000_000n))],
    asFound: { red: seenBy('annualOutsideLedger'), redTwice: seenBy('annualOutsideLedger') },
  }),

  // Takes the $0 of a coupon for the $0 of a trial (M11).
  story({
    name: 'annual-coupon',
    title: 'a year bought with a 100 % coupon is granted',
    people: [ann],
    steps: [step(ann.startsAnnual({ coupon: true }), ann.getsPlan(5_000_000n), ann.has(5_000_000n))],
    asFound: { red: seenBy('annualOutsideLedger'), redTwice: seenBy('annualOutsideLedger') },
  }),

  // Renews monthly plans alone (M12); reads invoice.subscription, which is gone since basil (M13); replaces the
  // balance with no row for what it takes away (M21).
  story({
    name: 'annual-renewal',
    title: 'a renewal takes away what is left, in a row of its own, and grants a year',
    people: [ann],
    steps: [
      step(ann.startsAnnual(), ann.getsPlan(5_000_000n), ann.has(5_000_000n)),
      step(ann.uses(1_234_567n), ann.spends(1_234_567n), ann.has(3_765_433n)),
      step(ann.renews(), ann.losesRest(3_765_433n), ann.getsPlan(5_000_000n), ann.has(5_000_000n)),
      step(ann.uses(5_000_000n), ann.spends(5_000_000n), ann.has(0n)),
      step(ann.renews(), ann.getsPlan(5_000_000n), ann.has(5_000_000n)),
    ],
    asFound: { red: seenBy('annualOutsideLedger'), redTwice: seenBy('annualOutsideLedger') },
  }),

  // Hides that a reset takes packs too, which are sold as never expiring.
  story({
    name: 'annual-renewal-takes-packs',
    title: 'a renewal takes bought tokens with it, and the audit says so',
    people: [ann],
    steps: [
      step(ann.startsAnnual(), ann.getsPlan(5_000_000n), ann.has(5_000_000n)),
      step(ann.buys('power'), ann.getsPack(2_000_000n), ann.has(7_000_000n)),
      step(ann.renews(), ann.losesRest(7_000_000n), ann.getsPlan(5_000_000n), ann.has(5_000_000n)),
    ],
    minor: ['reset-took-bought-tokens'],
    asFound: {
      red: seenBy('annualOutsideLedger'),
      redTwice: seenBy('annualOutsideLedger', 'packGrantedTwice'),
    },
  }),

  // Takes the prorations on a renewal for what was sold: after a change of mind there is a price that is no longer ours,
  // and nothing is granted (M10).
  story({
    name: 'annual-renewal-with-prorations',
    title: 'a renewal is granted for its plan, whatever changes of plan stand on its invoice',
    people: [ann],
    steps: [
      step(ann.startsAnnual(), ann.getsPlan(5_000_000n), ann.has(5_000_000n)),
      step(ann.changesPlan('other')),
      step(ourTierLacksItsPrice('other')),
      step(ann.changesPlan('annual')),
      step(ann.renews(), ann.losesRest(5_000_000n), ann.getsPlan(5_000_000n), ann.has(5_000_000n)),
    ],
    asFound: { red: seenBy('annualOutsideLedger'), redTwice: seenBy('annualOutsideLedger') },
  }),

  // Grants what the subscription sells today, and not what its invoice has billed (M15).
  story({
    name: 'plan-settled-late',
    title: 'a period that is settled after an upgrade is granted as it was billed',
    people: [ann],
    steps: [
      step(ourTierLacksItsPrice('28day')),
      step(ann.starts28Day(), staysUndelivered),
      step(ann.upgrades('annual'), staysUndelivered),
      step(ourTierGetsItsPrice('28day'), ann.getsPlan(375_000n), ann.has(375_000n)),
    ],
    asFound: { red: seenBy('dripsOutsideLedger'), redTwice: seenBy('dripsOutsideLedger') },
  }),
]
