import type { AppUnderTest } from './app-under-test.ts'
import { IN_ORDER, TWICE } from './plan.ts'
import type { Performance, Play } from './play.ts'
import { person, step, story } from './voices.ts'

/**
 * Two months of one shop: the first with the app as it was found, the second with the repaired one, on the same
 * database and with the same people. Each person meets another defect of the first month.
 */
const pia = person('pia')
const tom = person('tom')
const ann = person('ann')
const max = person('max')
const eve = person('eve')
const adi = person('adi')
const lea = person('lea', { hasDraft: true })
const zoe = person('zoe')
const ben = person('ben')
const kai = person('kai')
const everybody = [pia, tom, ann, max, eve, adi, lea, zoe, ben, kai]

const january = story({
  name: 'january',
  title: 'packs, plans, a trial, an admin, AI use',
  people: everybody,
  steps: [
    step(pia.buys('mega'), pia.getsPack(5_000_000n), pia.has(5_000_000n)),
    step(tom.buys('power', { pay: 'delayed' })),
    step(ann.startsAnnual(), ann.getsPlan(5_000_000n), ann.has(5_000_000n)),
    step(max.starts28Day(), max.getsPlan(375_000n), max.has(375_000n)),
    step(eve.startsTrial('annual'), eve.getsTrial(1_000_000n), eve.has(1_000_000n)),
    step(adi.isAdjusted(50_000n, 'welcome'), adi.isGiven(50_000n), adi.has(50_000n)),
    step(lea.buys('power'), lea.getsPack(2_000_000n), lea.has(2_000_000n)),
    step(tom.debitFails()),
    step(ann.uses(120_000n), ann.spends(120_000n), ann.has(4_880_000n)),
    step(eve.uses(40_000n), eve.spends(40_000n), eve.has(960_000n)),
    step(adi.uses(20_000n), adi.spends(20_000n), adi.has(30_000n)),
    step(max.renews(), max.getsPlan(375_000n), max.has(750_000n)),
  ],
  asFound: { red: [], redTwice: [] },
})

const redelivered = story({
  name: 'redelivered',
  title: 'Stripe sends the events of one purchase twice',
  people: everybody,
  steps: [step(zoe.buys('ultra'), zoe.getsPack(12_000_000n), zoe.has(12_000_000n))],
  asFound: { red: [], redTwice: [] },
})

/** What everybody has after the repair: what the first month left, and max has his second drip. */
const asRepaired: Readonly<Record<string, bigint>> = {
  pia: 5_000_000n,
  tom: 2_000_000n,
  ann: 4_880_000n,
  max: 750_000n,
  eve: 960_000n,
  adi: 30_000n,
  lea: 2_000_000n,
  zoe: 24_000_000n,
}

const february = story({
  name: 'february',
  title: 'renewals, a trial that ends, more packs, a double click, every delivery twice',
  people: everybody.map(({ is }) => ({ is: { ...is, balance: asRepaired[is.name] ?? 0n } })),
  steps: [
    step(ben.buys('power'), ben.getsPack(2_000_000n), ben.has(2_000_000n)),
    step(kai.startsTrial('28day'), kai.getsTrial(500_000n), kai.has(500_000n)),
    step(max.renews(), max.getsPlan(375_000n), max.has(1_125_000n)),
    step(eve.trialEnds(), eve.losesRest(960_000n), eve.getsPlan(5_000_000n), eve.has(5_000_000n)),
    step(pia.buys('power'), pia.getsPack(2_000_000n), pia.has(7_000_000n)),
    step(pia.buysInTestMode('ultra')),
    step(tom.buys('mega', { pay: 'delayed' })),
    step(adi.isAdjusted(-10_000n, 'correction', { clicks: 2 }), adi.isTaken(10_000n), adi.has(20_000n)),
    step(ann.uses(80_000n), ann.spends(80_000n), ann.has(4_800_000n)),
    step(ann.failsToUse(5_000n), ann.spends(5_000n, { moves: 0n })),
    step(
      ann.uses(300_000n, 'vision_generation'),
      ann.spends(300_000n, { action: 'vision_generation' }),
      ann.has(4_500_000n),
    ),
    step(lea.uses(1_000n), lea.spends(1_000n), lea.has(1_999_000n)),
    step(
      zoe.uses(4_000_000n, 'blueprint_generation'),
      zoe.spends(4_000_000n, { action: 'blueprint_generation' }),
      zoe.has(20_000_000n),
    ),
    step(tom.debitSucceeds(), tom.getsPack(5_000_000n), tom.has(7_000_000n)),
    step(max.uses(25_000n), max.spends(25_000n), max.has(1_100_000n)),
    step(ann.cancels('period-end')),
  ],
  asFound: { red: [], redTwice: [] },
})

/** The first month; its complaints are what the app as found does wrong. Throws when the app does not answer. */
export async function playFirstMonth(play: Play, app: AppUnderTest): Promise<readonly Performance[]> {
  const first = await play.perform(january, app, { plan: IN_ORDER })
  return [first, await play.perform(redelivered, app, { plan: TWICE, cast: first.cast })]
}

/** The second month, with the people of the first; each delivery and each admin request comes twice. */
export function playSecondMonth(play: Play, app: AppUnderTest, first: Performance): Promise<Performance> {
  return play.perform(february, app, { plan: TWICE, cast: first.cast })
}
