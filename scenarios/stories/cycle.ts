import { person, step, story } from '../engine/voices.ts'
import { seenBy } from './findings.ts'

const ben = person('ben')

export const cycles = [
  // Grants at checkout.session.completed and at invoice.paid (M2); writes to token_drips alone, as found.
  story({
    name: 'cycle-start',
    title: 'the first 28 days are granted once',
    people: [ben],
    steps: [step(ben.starts28Day(), ben.getsPlan(375_000n), ben.has(375_000n))],
    asFound: { red: seenBy('dripsOutsideLedger'), redTwice: seenBy('dripsOutsideLedger') },
  }),

  // Counts cycles by redelivery and so lets tokens expire early (M1); never lets them expire; lets only the oldest
  // expire; takes them from the balance with no row (M21).
  story({
    name: 'cycle-rollover',
    title: 'what is left rolls over three times, and the fifth drip from empty lets it all expire',
    people: [ben],
    steps: [
      step(ben.starts28Day(), ben.getsPlan(375_000n), ben.has(375_000n)),
      step(ben.renews(), ben.getsPlan(375_000n), ben.has(750_000n)),
      step(ben.renews(), ben.getsPlan(375_000n), ben.has(1_125_000n)),
      step(ben.renews(), ben.getsPlan(375_000n), ben.has(1_500_000n)),
      step(ben.renews(), ben.losesRest(1_500_000n), ben.getsPlan(375_000n), ben.has(375_000n)),
      step(ben.renews(), ben.getsPlan(375_000n), ben.has(750_000n)),
    ],
    asFound: { red: seenBy('dripsOutsideLedger'), redTwice: seenBy('dripsOutsideLedger') },
  }),

  // Counts rollovers by cycle and not by what there was to roll over.
  story({
    name: 'cycle-used-up',
    title: 'an empty balance has nothing to roll over, and the count starts again',
    people: [ben],
    steps: [
      step(ben.starts28Day(), ben.getsPlan(375_000n), ben.has(375_000n)),
      step(ben.uses(300_000n), ben.spends(300_000n), ben.has(75_000n)),
      step(ben.renews(), ben.getsPlan(375_000n), ben.has(450_000n)),
      step(ben.uses(450_000n), ben.spends(450_000n), ben.has(0n)),
      step(ben.renews(), ben.getsPlan(375_000n), ben.has(375_000n)),
      step(ben.renews(), ben.getsPlan(375_000n), ben.has(750_000n)),
      step(ben.renews(), ben.getsPlan(375_000n), ben.has(1_125_000n)),
      step(ben.renews(), ben.getsPlan(375_000n), ben.has(1_500_000n)),
    ],
    asFound: { red: seenBy('dripsOutsideLedger'), redTwice: seenBy('dripsOutsideLedger') },
  }),

  // Lets what was bought live on when the rest expires, or counts the first drip on a filled balance as a first one.
  story({
    name: 'cycle-expires-packs',
    title:
      'on a filled balance the fourth drip lets it expire, bought tokens included, and the audit says so',
    people: [ben],
    steps: [
      step(ben.buys('power'), ben.getsPack(2_000_000n), ben.has(2_000_000n)),
      step(ben.starts28Day(), ben.getsPlan(375_000n), ben.has(2_375_000n)),
      step(ben.renews(), ben.getsPlan(375_000n), ben.has(2_750_000n)),
      step(ben.renews(), ben.getsPlan(375_000n), ben.has(3_125_000n)),
      step(ben.renews(), ben.losesRest(3_125_000n), ben.getsPlan(375_000n), ben.has(375_000n)),
    ],
    minor: ['reset-took-bought-tokens'],
    asFound: {
      red: seenBy('dripsOutsideLedger'),
      redTwice: seenBy('dripsOutsideLedger', 'packGrantedTwice'),
    },
  }),

  // Grants for an invoice that is open (M10), or takes the recovered one, which comes on the second attempt, for
  // something else than a renewal.
  story({
    name: 'cycle-recovers',
    title: 'a renewal that fails grants nothing until it is paid at last',
    people: [ben],
    steps: [
      step(ben.starts28Day(), ben.getsPlan(375_000n), ben.has(375_000n)),
      step(ben.renewalFails()),
      step(ben.renewalRecovers(), ben.getsPlan(375_000n), ben.has(750_000n)),
    ],
    asFound: { red: seenBy('dripsOutsideLedger'), redTwice: seenBy('dripsOutsideLedger') },
  }),

  // Grants what was billed and never paid (M10): where it is paid in the end, nobody can tell any more.
  story({
    name: 'cycle-never-paid',
    title: 'a renewal that is never paid grants nothing',
    people: [ben],
    steps: [
      step(ben.starts28Day(), ben.getsPlan(375_000n), ben.has(375_000n)),
      step(ben.renewalFails()),
      step(ben.cancels('now')),
    ],
    asFound: { red: seenBy('dripsOutsideLedger'), redTwice: seenBy('dripsOutsideLedger') },
  }),

  // Forgets a subscription when it is cancelled, and so grants nothing for its invoice that is paid late (M28).
  story({
    name: 'cycle-paid-late',
    title: 'the open invoice of a cancelled subscription is granted when it is paid',
    people: [ben],
    steps: [
      step(ben.starts28Day(), ben.getsPlan(375_000n), ben.has(375_000n)),
      step(ben.renewalFails()),
      step(ben.cancels('now')),
      step(ben.renewalRecovers(), ben.getsPlan(375_000n), ben.has(750_000n)),
    ],
    asFound: { red: seenBy('dripsOutsideLedger'), redTwice: seenBy('dripsOutsideLedger') },
  }),

  // Listens to invoice.payment_succeeded alone. Or names the payment that never came, which is cancelled then.
  story({
    name: 'cycle-marked-as-paid',
    title: 'a renewal that is marked as paid is granted, and no payment with it',
    people: [ben],
    steps: [
      step(ben.starts28Day(), ben.getsPlan(375_000n), ben.has(375_000n)),
      step(ben.renewalFails()),
      step(ben.renewalIsMarkedAsPaid(), ben.getsPlan(375_000n), ben.has(750_000n)),
    ],
    asFound: { red: seenBy('dripsOutsideLedger'), redTwice: seenBy('dripsOutsideLedger') },
  }),

  // Reads the first page of an invoice's lines, and misses the plan on the second; or refuses the whole invoice for an
  // item of no tier.
  story({
    name: 'cycle-with-extras',
    title: 'a renewal is granted, whatever else stands on its invoice and before it',
    people: [ben],
    steps: [
      step(ben.starts28Day(), ben.getsPlan(375_000n), ben.has(375_000n)),
      step(ben.isBilledExtras(11)),
      step(ben.renews(), ben.getsPlan(375_000n), ben.has(750_000n)),
    ],
    asFound: { red: seenBy('dripsOutsideLedger'), redTwice: seenBy('dripsOutsideLedger') },
  }),

  // Keeps the rollover count over a year of another plan, and lets tokens expire early; or numbers the drips of the user
  // and not those of the subscription.
  story({
    name: 'cycle-after-a-year',
    title: 'a year between two 28-day plans begins the count of rollovers again',
    people: [ben],
    steps: [
      step(ben.starts28Day(), ben.getsPlan(375_000n), ben.has(375_000n)),
      step(ben.renews(), ben.getsPlan(375_000n), ben.has(750_000n)),
      step(ben.cancels('now')),
      step(ben.startsAnnual(), ben.losesRest(750_000n), ben.getsPlan(5_000_000n), ben.has(5_000_000n)),
      step(ben.cancels('now')),
      step(ben.starts28Day(), ben.getsPlan(375_000n), ben.has(5_375_000n)),
      step(ben.renews(), ben.getsPlan(375_000n), ben.has(5_750_000n)),
      step(ben.renews(), ben.getsPlan(375_000n), ben.has(6_125_000n)),
      step(ben.renews(), ben.losesRest(6_125_000n), ben.getsPlan(375_000n), ben.has(375_000n)),
    ],
    asFound: {
      red: seenBy('annualOutsideLedger', 'dripsOutsideLedger'),
      redTwice: seenBy('annualOutsideLedger', 'dripsOutsideLedger'),
    },
  }),
]
