import { isRefused, person, staysUndelivered, step, story, theOldEndpointDelivers } from '../engine/voices.ts'
import { seenBy } from './findings.ts'

const ann = person('ann')

export const packs = [
  // A webhook without a key doubles it on redelivery (M1); one that grants at payment_intent.succeeded and at
  // checkout.session.completed, since both tell of one payment, doubles it at once (M2).
  story({
    name: 'pack-paid',
    title: 'a pack that is paid at once is granted once',
    people: [ann],
    steps: [step(ann.buys('mega'), ann.getsPack(5_000_000n), ann.has(5_000_000n))],
    asFound: { red: [], redTwice: seenBy('packGrantedTwice') },
  }),

  // Ignores payment_status, and grants at checkout.session.completed (M8); or knows nothing of
  // async_payment_succeeded, and never grants (M9).
  story({
    name: 'pack-delayed',
    title: 'a pack paid by bank debit is granted when the money arrives, not before',
    people: [ann],
    steps: [
      step(ann.buys('ultra', { pay: 'delayed' })),
      step(ann.debitSucceeds(), ann.getsPack(12_000_000n), ann.has(12_000_000n)),
    ],
    asFound: { red: [], redTwice: seenBy('packGrantedTwice') },
  }),

  // Ignores payment_status: the tokens are there, the money never comes (M8).
  story({
    name: 'pack-delayed-fails',
    title: 'a pack whose bank debit fails is never granted',
    people: [ann],
    steps: [step(ann.buys('power', { pay: 'delayed' })), step(ann.debitFails())],
    asFound: { red: seenBy('unpaidPackGranted'), redTwice: seenBy('unpaidPackGranted', 'packGrantedTwice') },
  }),

  // Waits for `paid`: a coupon over the whole price says no_payment_required. Or takes the missing payment intent
  // for a failure, or for the key (M11).
  story({
    name: 'pack-coupon',
    title: 'a pack bought with a 100 % coupon is granted, without any payment',
    people: [ann],
    steps: [step(ann.buys('power', { pay: 'coupon' }), ann.getsPack(2_000_000n), ann.has(2_000_000n))],
    asFound: { red: [], redTwice: seenBy('packGrantedTwice') },
  }),

  // Grants the tokens of one pack, whatever the quantity (M25).
  story({
    name: 'pack-two-at-once',
    title: 'two packs in one session are two packs of tokens, in one grant',
    people: [ann],
    steps: [step(ann.buys('power', { quantity: 2 }), ann.getsPack(4_000_000n), ann.has(4_000_000n))],
    asFound: { red: seenBy('quantityIgnored'), redTwice: seenBy('quantityIgnored', 'packGrantedTwice') },
  }),

  // Keeps one grant a user, a pack or a day, to get rid of doubles: the second purchase is lost (M1, mended wrongly).
  // Sets the balance instead of adding to it (M21).
  story({
    name: 'packs-stack',
    title: 'the same pack bought twice is granted twice',
    people: [ann],
    steps: [
      step(ann.buys('power'), ann.getsPack(2_000_000n), ann.has(2_000_000n)),
      step(ann.buys('power'), ann.getsPack(2_000_000n), ann.has(4_000_000n)),
      step(ann.buys('mega'), ann.getsPack(5_000_000n), ann.has(9_000_000n)),
    ],
    asFound: { red: [], redTwice: seenBy('packGrantedTwice') },
  }),

  // Takes any paid invoice for a plan's period: a session with invoice_creation emits invoice.paid too (M10).
  story({
    name: 'pack-invoiced',
    title: 'the invoice of a pack grants nothing beside the pack',
    people: [ann],
    steps: [step(ann.buys('mega', { invoiced: true }), ann.getsPack(5_000_000n), ann.has(5_000_000n))],
    asFound: { red: [], redTwice: seenBy('packGrantedTwice') },
  }),

  // Grants what the session is labelled with, whatever was paid for; answers 200 to a pack that it does not know, or to
  // a session that names nobody, and so never hears of it again (M23).
  story({
    name: 'pack-mislabelled',
    title: 'a session that says something else than what was sold is granted when it is put right',
    people: [ann],
    steps: [
      step(ann.buys('power', { label: 'another-pack' }), staysUndelivered),
      step(ann.sessionIsMended(), ann.getsPack(2_000_000n), ann.has(2_000_000n)),
      step(ann.buys('mega', { label: 'unknown-pack' }), staysUndelivered),
      step(ann.sessionIsMended(), ann.getsPack(5_000_000n), ann.has(7_000_000n)),
    ],
    asFound: { red: seenBy('labelBelieved'), redTwice: seenBy('labelBelieved', 'packGrantedTwice') },
  }),

  // Answers 200 where nobody is named, or somebody who is not there (M22); takes an id in capitals for another one's.
  story({
    name: 'pack-of-nobody',
    title: 'a session whose user is not there is granted when it is put right, one in capitals at once',
    people: [ann],
    steps: [
      step(ann.buys('power', { label: 'no-user' }), staysUndelivered),
      step(ann.sessionIsMended(), ann.getsPack(2_000_000n), ann.has(2_000_000n)),
      step(ann.buys('power', { label: 'unknown-user' }), staysUndelivered),
      step(ann.sessionIsMended(), ann.getsPack(2_000_000n), ann.has(4_000_000n)),
      step(ann.buys('mega', { label: 'capitals' }), ann.getsPack(5_000_000n), ann.has(9_000_000n)),
      step(ann.starts28Day({ inCapitals: true }), ann.getsPlan(375_000n), ann.has(9_375_000n)),
    ],
    asFound: {
      red: seenBy('saleOfNobodyLost', 'dripsOutsideLedger'),
      redTwice: seenBy('saleOfNobodyLost', 'dripsOutsideLedger', 'packGrantedTwice'),
    },
  }),

  // Takes whatever is sold once for a pack, and refuses it for ever.
  story({
    name: 'workshop',
    title: 'what is no pack grants nothing, and is nothing to complain about',
    people: [ann],
    steps: [step(ann.buysWorkshop())],
    asFound: { red: [], redTwice: [] },
  }),

  // Takes what comes without a signature, or with any; plays again what somebody has recorded; answers 200 where the
  // signature does not fit, so that with a wrong secret every sale is lost in silence (M26).
  story({
    name: 'not-from-stripe',
    title: 'an event that Stripe has not signed, or not lately, is refused',
    people: [ann],
    steps: [
      step(ann.isImpersonated('unsigned'), isRefused),
      step(ann.isImpersonated('wrongly-signed'), isRefused),
      step(ann.buys('power'), ann.getsPack(2_000_000n), ann.has(2_000_000n)),
      step(ann.isImpersonated('recorded'), isRefused),
    ],
    asFound: { red: [], redTwice: seenBy('packGrantedTwice') },
  }),

  // Knows one secret: while one endpoint replaces another, the deliveries of one of them are lost (M26).
  story({
    name: 'endpoint-replaced',
    title: 'while an endpoint is replaced, what either delivers is taken',
    people: [ann],
    steps: [
      step(ann.buys('power'), ann.getsPack(2_000_000n), ann.has(2_000_000n)),
      step(theOldEndpointDelivers),
      step(ann.buys('mega'), ann.getsPack(5_000_000n), ann.has(7_000_000n)),
    ],
    asFound: { red: [], redTwice: seenBy('packGrantedTwice') },
  }),
]
