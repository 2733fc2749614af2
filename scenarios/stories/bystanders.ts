import { person, step, story } from '../engine/voices.ts'
import { seenBy } from './findings.ts'

const fay = person('fay')

/** What Stripe tells us and what moves no token. */
export const bystanders = [
  // Takes any paid invoice for a renewal: one could upgrade and downgrade for tokens all day (M10).
  story({
    name: 'upgrade-to-other',
    title: 'the proration of an upgrade grants nothing',
    people: [fay],
    steps: [
      step(fay.startsAnnual(), fay.getsPlan(5_000_000n), fay.has(5_000_000n)),
      step(fay.upgrades('other')),
    ],
    asFound: { red: seenBy('annualOutsideLedger'), redTwice: seenBy('annualOutsideLedger') },
  }),

  // Grants whatever line is no proration (M10): from 28 days to a year the whole new price is one. Or keeps the plan
  // that the subscription began with, and renews the wrong one (M15).
  story({
    name: 'upgrade-to-annual',
    title: 'the invoice of an upgrade to a year grants nothing, its renewal grants a year',
    people: [fay],
    steps: [
      step(fay.starts28Day(), fay.getsPlan(375_000n), fay.has(375_000n)),
      step(fay.upgrades('annual')),
      step(fay.renews(), fay.losesRest(375_000n), fay.getsPlan(5_000_000n), fay.has(5_000_000n)),
    ],
    asFound: { red: seenBy('dripsOutsideLedger'), redTwice: seenBy('dripsOutsideLedger') },
  }),

  // Takes any paid invoice for a renewal (M10).
  story({
    name: 'manual-invoice',
    title: 'an invoice made by hand grants nothing, though it be over the price of a plan',
    people: [fay],
    steps: [
      step(fay.paysHandMadeInvoice('amount')),
      step(fay.starts28Day(), fay.getsPlan(375_000n), fay.has(375_000n)),
      step(fay.paysHandMadeInvoice('28day')),
    ],
    asFound: { red: seenBy('dripsOutsideLedger'), redTwice: seenBy('dripsOutsideLedger') },
  }),

  // Clears the grants of whoever cancels (M27).
  story({
    name: 'cancelled-at-once',
    title: 'who cancels keeps the tokens, those of the plan and those bought',
    people: [fay],
    steps: [
      step(fay.starts28Day(), fay.getsPlan(375_000n), fay.has(375_000n)),
      step(fay.buys('power'), fay.getsPack(2_000_000n), fay.has(2_375_000n)),
      step(fay.cancels('now')),
    ],
    asFound: {
      red: seenBy('dripsOutsideLedger'),
      redTwice: seenBy('dripsOutsideLedger', 'packGrantedTwice'),
    },
  }),

  // Grants a period that was not paid for, or clears what is left when the paid one ends (M27).
  story({
    name: 'cancelled-at-period-end',
    title: 'a plan that ends takes nothing away, and grants nothing more',
    people: [fay],
    steps: [
      step(fay.startsAnnual(), fay.getsPlan(5_000_000n), fay.has(5_000_000n)),
      step(fay.cancels('period-end')),
    ],
    asFound: { red: seenBy('annualOutsideLedger'), redTwice: seenBy('annualOutsideLedger') },
  }),

  // Finds the cancelled subscription of this user before the new one, and grants nothing (M27).
  story({
    name: 'cancelled-and-back',
    title: 'who comes back after a cancellation is granted as anybody',
    people: [fay],
    steps: [
      step(fay.starts28Day(), fay.getsPlan(375_000n), fay.has(375_000n)),
      step(fay.cancels('now')),
      step(fay.uses(375_000n), fay.spends(375_000n), fay.has(0n)),
      step(fay.starts28Day(), fay.getsPlan(375_000n), fay.has(375_000n)),
      step(fay.renews(), fay.getsPlan(375_000n), fay.has(750_000n)),
    ],
    asFound: { red: seenBy('dripsOutsideLedger'), redTwice: seenBy('dripsOutsideLedger') },
  }),

  // Takes the refund for a purchase, or takes the whole pack back for a part of its price (M16).
  story({
    name: 'refund',
    title: 'a refund takes no tokens back, and the audit says so',
    people: [fay],
    steps: [
      step(fay.buys('mega'), fay.getsPack(5_000_000n), fay.has(5_000_000n)),
      step(fay.isRefunded('pack', 5_000n)),
      step(fay.isRefunded('pack', 14_900n)),
    ],
    minor: ['refunded-purchase-kept-tokens'],
    asFound: { red: seenBy('refundKeptTokens'), redTwice: seenBy('refundKeptTokens', 'packGrantedTwice') },
  }),

  // Looks at the signature alone: a test-mode event, rightly signed, buys a pack for nothing (M24).
  story({
    name: 'test-mode-purchase',
    title: 'a purchase in test mode grants nothing on the live endpoint',
    people: [fay],
    steps: [step(fay.buysInTestMode('ultra'))],
    asFound: { red: seenBy('testModeGranted'), redTwice: seenBy('testModeGrantedTwice') },
  }),
]
