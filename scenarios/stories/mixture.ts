import { person, step, story } from '../engine/voices.ts'
import { seenBy } from './findings.ts'

const ivy = person('ivy')
const jon = person('jon')
const kim = person('kim')
const lea = person('lea', { hasDraft: true })

export const mixtures = [
  // Whatever holds for each way of getting tokens alone, and not for their sum (M20, M21).
  story({
    name: 'mixture-one-user',
    title: 'all that moves tokens, one after the other, on one user',
    people: [ivy],
    steps: [
      step(ivy.isAdjusted(2_000n, 'welcome'), ivy.isGiven(2_000n), ivy.has(2_000n)),
      step(ivy.uses(500n), ivy.spends(500n), ivy.has(1_500n)),
      step(ivy.buys('power'), ivy.getsPack(2_000_000n), ivy.has(2_001_500n)),
      step(ivy.startsTrial('annual'), ivy.getsTrial(1_000_000n), ivy.has(3_001_500n)),
      step(
        ivy.uses(1_000_000n, 'image_generation'),
        ivy.spends(1_000_000n, { action: 'image_generation' }),
        ivy.has(2_001_500n),
      ),
      step(ivy.trialEnds(), ivy.losesRest(2_001_500n), ivy.getsPlan(5_000_000n), ivy.has(5_000_000n)),
      step(ivy.buys('mega', { pay: 'delayed' })),
      step(ivy.isAdjusted(-1_000_000n, 'correction'), ivy.isTaken(1_000_000n), ivy.has(4_000_000n)),
      step(ivy.debitSucceeds(), ivy.getsPack(5_000_000n), ivy.has(9_000_000n)),
      step(ivy.failsToUse(3_000n), ivy.spends(3_000n, { moves: 0n })),
      step(ivy.isRefunded('pack', 19_900n)),
      step(ivy.renews(), ivy.losesRest(9_000_000n), ivy.getsPlan(5_000_000n), ivy.has(5_000_000n)),
      step(ivy.cancels('period-end')),
    ],
    minor: ['reset-took-bought-tokens', 'refunded-purchase-kept-tokens'],
    asFound: {
      red: seenBy('trialUntracked', 'refundKeptTokens'),
      redTwice: seenBy('trialUntracked', 'refundKeptTokens', 'packGrantedTwice', 'adjustedTwice'),
    },
  }),

  // Finds the user by something that several have in common: an amount, a price, the latest session (M22).
  story({
    name: 'mixture-several-users',
    title: 'what one user does is nobody else’s',
    people: [ivy, jon, kim],
    steps: [
      step(ivy.buys('mega'), ivy.getsPack(5_000_000n), ivy.has(5_000_000n)),
      step(jon.starts28Day(), jon.getsPlan(375_000n), jon.has(375_000n)),
      step(kim.startsTrial('28day'), kim.getsTrial(500_000n), kim.has(500_000n)),
      step(jon.buys('mega', { pay: 'delayed' })),
      step(ivy.startsAnnual(), ivy.losesRest(5_000_000n), ivy.getsPlan(5_000_000n), ivy.has(5_000_000n)),
      step(kim.buys('mega'), kim.getsPack(5_000_000n), kim.has(5_500_000n)),
      step(jon.uses(75_000n), jon.spends(75_000n), jon.has(300_000n)),
      step(jon.debitSucceeds(), jon.getsPack(5_000_000n), jon.has(5_300_000n)),
      step(kim.cancels('now')),
      step(jon.renews(), jon.getsPlan(375_000n), jon.has(5_675_000n)),
    ],
    minor: ['reset-took-bought-tokens'],
    asFound: {
      red: seenBy('annualOutsideLedger', 'dripsOutsideLedger', 'trialUntracked'),
      redTwice: seenBy('annualOutsideLedger', 'dripsOutsideLedger', 'trialUntracked', 'packGrantedTwice'),
    },
  }),

  // Writes the balance of the active profile alone: when the draft is published, its old balance becomes the user's.
  story({
    name: 'draft-profile',
    title: 'a draft of the profile keeps the same balance',
    people: [lea],
    steps: [
      step(lea.buys('power'), lea.getsPack(2_000_000n), lea.has(2_000_000n)),
      step(lea.uses(1_000n), lea.spends(1_000n), lea.has(1_999_000n)),
      step(lea.startsTrial('28day'), lea.getsTrial(500_000n), lea.has(2_499_000n)),
      step(lea.isAdjusted(-499_000n, 'correction'), lea.isTaken(499_000n), lea.has(2_000_000n)),
      step(lea.trialEnds(), lea.getsPlan(375_000n), lea.has(2_375_000n)),
    ],
    asFound: {
      red: seenBy('trialUntracked', 'draftLeftBehind'),
      redTwice: seenBy('trialUntracked', 'draftLeftBehind', 'packGrantedTwice', 'adjustedTwice'),
    },
  }),
]
