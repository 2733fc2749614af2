import {
  ourTierGetsItsPrice,
  ourTierLacksItsPrice,
  person,
  staysUndelivered,
  step,
  story,
} from '../engine/voices.ts'
import { seenBy } from './findings.ts'

const cat = person('cat')
const pam = person('pam')

export const trials = [
  // Takes the trial's $0 invoice, which is paid, for a period that was paid (M11); credits the trial at
  // checkout.session.completed and at customer.subscription.created (M30).
  story({
    name: 'trial-annual',
    title: 'a trial of the annual plan is granted once, and its $0 invoice grants nothing',
    people: [cat],
    steps: [step(cat.startsTrial('annual'), cat.getsTrial(1_000_000n), cat.has(1_000_000n))],
    asFound: { red: seenBy('trialUntracked'), redTwice: seenBy('trialUntracked') },
  }),

  // Credits the trial again at its conversion (M30), or takes the first paid period for the trial's own and grants
  // nothing.
  story({
    name: 'trial-converts',
    title: 'a trial that is paid on is followed by a whole year',
    people: [cat],
    steps: [
      step(cat.startsTrial('annual'), cat.getsTrial(1_000_000n), cat.has(1_000_000n)),
      step(cat.uses(250_000n), cat.spends(250_000n), cat.has(750_000n)),
      step(cat.trialEnds(), cat.losesRest(750_000n), cat.getsPlan(5_000_000n), cat.has(5_000_000n)),
    ],
    asFound: { red: seenBy('trialUntracked'), redTwice: seenBy('trialUntracked') },
  }),

  // Gives every trial the same size; resets the balance at conversion, which the 28-day plan adds to.
  story({
    name: 'trial-28day',
    title: 'a trial of the 28-day plan is smaller, and rolls over into the first paid cycle',
    people: [cat],
    steps: [
      step(cat.startsTrial('28day'), cat.getsTrial(500_000n), cat.has(500_000n)),
      step(cat.trialEnds(), cat.getsPlan(375_000n), cat.has(875_000n)),
    ],
    asFound: { red: seenBy('trialUntracked'), redTwice: seenBy('trialUntracked') },
  }),

  // Takes the trial back when it is cancelled (M27), or pays out a period that never began.
  story({
    name: 'trial-cancelled',
    title: 'a trial that is cancelled keeps its tokens and is followed by nothing',
    people: [cat],
    steps: [
      step(cat.startsTrial('annual'), cat.getsTrial(1_000_000n), cat.has(1_000_000n)),
      step(cat.cancels('period-end')),
    ],
    asFound: { red: seenBy('trialUntracked'), redTwice: seenBy('trialUntracked') },
  }),

  // Keeps one trial a user, to get rid of doubles: the next one, of another subscription, is lost (M30, mended wrongly).
  story({
    name: 'trial-again',
    title: 'who tries again later is granted again',
    people: [cat],
    steps: [
      step(cat.startsTrial('28day'), cat.getsTrial(500_000n), cat.has(500_000n)),
      step(cat.cancels('now')),
      step(cat.startsTrial('annual'), cat.getsTrial(1_000_000n), cat.has(1_500_000n)),
    ],
    asFound: { red: seenBy('trialUntracked'), redTwice: seenBy('trialUntracked') },
  }),

  // Grants a trial at its Checkout session alone; ignores an invoice whose subscription it has not heard of yet (M14).
  story({
    name: 'started-by-support',
    title: 'what support has started has no Checkout session, and is granted all the same',
    people: [cat, pam],
    steps: [
      step(cat.startsTrial('annual', 'support'), cat.getsTrial(1_000_000n), cat.has(1_000_000n)),
      step(pam.starts28Day({ coupon: true, by: 'support' }), pam.getsPlan(375_000n), pam.has(375_000n)),
    ],
    asFound: { red: seenBy('startWithoutSessionLost'), redTwice: seenBy('startWithoutSessionLost') },
  }),

  // Grants by what the subscription is when its start is settled at last: another plan, or over, and no new row.
  story({
    name: 'trial-settled-late',
    title: 'a trial that is settled after a change of plan and a cancellation is granted as it began',
    people: [cat],
    steps: [
      step(ourTierLacksItsPrice('28day')),
      step(cat.startsTrial('28day'), staysUndelivered),
      step(cat.changesPlan('annual'), staysUndelivered),
      step(cat.cancels('now'), staysUndelivered),
      step(ourTierGetsItsPrice('28day'), cat.getsTrial(500_000n), cat.has(500_000n)),
    ],
    asFound: { red: seenBy('trialUntracked'), redTwice: seenBy('trialUntracked') },
  }),

  // Takes a trial that support gives for the one that a subscription began with.
  story({
    name: 'trial-given-later',
    title: 'a trial that is given to a running plan grants nothing of its own',
    people: [cat],
    steps: [
      step(cat.starts28Day(), cat.getsPlan(375_000n), cat.has(375_000n)),
      step(cat.isGivenTrial()),
      step(cat.trialEnds(), cat.getsPlan(375_000n), cat.has(750_000n)),
    ],
    asFound: { red: seenBy('dripsOutsideLedger'), redTwice: seenBy('dripsOutsideLedger') },
  }),

  // Grants whatever has a trial, though it never began; or does not know the status, and refuses its events for ever.
  story({
    name: 'trial-never-begins',
    title: 'a trial whose fee is never paid grants nothing, and one that pauses at its end nothing more',
    people: [cat, pam],
    steps: [
      step(cat.failsToStartTrial('28day')),
      step(pam.startsTrial('28day'), pam.getsTrial(500_000n), pam.has(500_000n)),
      step(pam.trialPauses()),
    ],
    asFound: { red: seenBy('trialUntracked'), redTwice: seenBy('trialUntracked') },
  }),
]
