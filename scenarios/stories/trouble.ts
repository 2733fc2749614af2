import {
  ourTierGetsItsPrice,
  ourTierLacksItsPrice,
  person,
  staysUndelivered,
  step,
  story,
} from '../engine/voices.ts'
import { seenBy } from './findings.ts'

const gus = person('gus')
const hal = person('hal')

/** What the app can't settle when Stripe tells it: nothing is guessed, and nothing is lost until somebody mends it. */
export const troubles = [
  // Answers 200 to a price that it does not know, and so never hears of it again; or grants a part (M23).
  story({
    name: 'unknown-price',
    title: 'a plan sold at a price that we do not know is granted as soon as we do',
    people: [gus],
    steps: [
      step(ourTierLacksItsPrice('annual')),
      step(gus.startsAnnual(), staysUndelivered),
      step(ourTierGetsItsPrice('annual'), gus.getsPlan(5_000_000n), gus.has(5_000_000n)),
    ],
    asFound: { red: seenBy('annualOutsideLedger'), redTwice: seenBy('annualOutsideLedger') },
  }),

  // Believes the first source that names a user, and gives one's tokens to another (M22).
  story({
    name: 'conflicting-user',
    title: 'a subscription that two users are named for is granted to nobody until that is mended',
    people: [gus, hal],
    steps: [
      step(gus.starts28Day(), gus.getsPlan(375_000n), gus.has(375_000n)),
      step(gus.losesSubscriptionRow('hal')),
      step(gus.renews(), staysUndelivered),
      step(gus.regainsSubscriptionRow(), gus.getsPlan(375_000n), gus.has(750_000n)),
    ],
    asFound: { red: seenBy('dripsOutsideLedger'), redTwice: seenBy('dripsOutsideLedger') },
  }),
]
