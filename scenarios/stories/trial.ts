import { person, step, story } from '../engine/voices.ts'
import { seenBy } from './findings.ts'

const cat = person('cat')

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
]
