import {
  isRefused,
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
const kai = person('kai', { hasDraft: true })

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

  // Says that a grant has succeeded for somebody who has no balance to put it on, as it did; or takes
  // a draft for a profile.
  story({
    name: 'no-profile',
    title: 'who has no profile is granted when there is one, and an admin is told so at once',
    people: [kai],
    steps: [
      step(kai.losesProfile()),
      step(kai.isAdjusted(1_000n, 'gift'), isRefused),
      step(kai.buys('power'), staysUndelivered),
      step(kai.regainsProfile(), kai.getsPack(2_000_000n), kai.has(2_000_000n)),
    ],
    asFound: {
      red: seenBy('rowWithoutProfile', 'adjustedTwice'),
      redTwice: seenBy('rowWithoutProfile', 'adjustedTwice', 'packGrantedTwice'),
    },
  }),

  // Gives up where Stripe does not know a subscription of the user, and keeps every grant back.
  story({
    name: 'left-over-subscription',
    title: 'a row left over from test mode keeps no tokens back',
    people: [gus],
    steps: [
      step(gus.hasRowLeftOver()),
      step(gus.starts28Day(), gus.getsPlan(375_000n), gus.has(375_000n)),
      step(gus.renews(), gus.getsPlan(375_000n), gus.has(750_000n)),
    ],
    asFound: { red: seenBy('periodNotGranted'), redTwice: seenBy('periodNotGranted') },
  }),

  // Refuses a second running subscription of a user, since the table has one live row a user: what was paid for it is
  // not granted.
  story({
    name: 'two-subscriptions',
    title: 'who pays for two plans at the same time is granted both',
    people: [hal],
    steps: [
      step(hal.startsAnnual(), hal.getsPlan(5_000_000n), hal.has(5_000_000n)),
      step(hal.starts28Day(), hal.getsPlan(375_000n), hal.has(5_375_000n)),
      step(hal.renews(), hal.getsPlan(375_000n), hal.has(5_750_000n)),
    ],
    asFound: { red: seenBy('annualOutsideLedger'), redTwice: seenBy('annualOutsideLedger') },
  }),
]
