import fc from 'fast-check'
import { PACK_IDS, PLAN_IDS } from '../../../fixtures/stripe/prices.ts'
import { type Act, type Step, type Story, say } from '../story.ts'
import { person, story, type Voice } from '../voices.ts'
import { type Account, Books } from './books.ts'
import { Rehearsal } from './rehearsal.ts'

/** What needs more steps to go wrong is rare, and takes long to read. */
const MOST_STEPS = 12

/** Who is in the stories, simplest first: shrinking goes that way. */
const PEOPLE = new Map(
  [person('ann'), person('ben', { hasDraft: true }), person('cat')].map((voice) => [voice.is.name, voice]),
)

const anyOf = fc.constantFrom
const about = <const What extends string>(what: What) => ({
  what: fc.constant(what),
  // Mostly one: what goes on with each of several is short.
  who: anyOf('ann', 'ann', 'ann', 'ben', 'cat'),
})
/** Of what there is, whatever that is: so a step keeps its sense while those before it go. */
const share = anyOf('some', 'all', 'more')
const pack = anyOf(...PACK_IDS)
const plan = anyOf(...PLAN_IDS)
const mostly = anyOf(true, true, true, false)
const use = fc.record({
  ...about('use'),
  share,
  action: anyOf('chat_conversation', 'image_generation'),
  success: mostly,
})
const buy = fc.record({
  ...about('buy'),
  pack,
  pay: anyOf('card', 'coupon', 'delayed'),
  quantity: anyOf(1, 2),
  invoiced: fc.boolean(),
})
const start = fc.record({ ...about('start'), plan, how: anyOf('card', 'coupon', 'trial') })

/**
 * What somebody might do, the likelier the more has to go before it. What that is in the end, and whether it can be at all, depends on what was before; what can't
 * be is left out of the story, so whichever ideas go while it shrinks, it can come true.
 */
const idea = fc.oneof(
  { weight: 16, arbitrary: fc.record({ ...about('period'), isPaid: mostly }) },
  { weight: 4, arbitrary: use },
  { weight: 4, arbitrary: buy },
  { weight: 3, arbitrary: start },
  { weight: 8, arbitrary: fc.record({ ...about('debit'), succeeds: mostly }) },
  { weight: 1, arbitrary: fc.record({ ...about('give'), clicks: anyOf(1, 2) }) },
  { weight: 2, arbitrary: fc.record({ ...about('take'), share, clicks: anyOf(1, 2) }) },
  { weight: 6, arbitrary: fc.record({ ...about('upgrade'), to: anyOf('annual', 'other') }) },
  { weight: 2, arbitrary: fc.record({ ...about('cancel'), at: anyOf('now', 'period-end') }) },
  { weight: 3, arbitrary: fc.record({ ...about('refund-pack'), share }) },
  { weight: 3, arbitrary: fc.record({ ...about('refund-plan'), share }) },
  { weight: 1, arbitrary: fc.record({ ...about('pay-invoice'), over: anyOf('amount', ...PLAN_IDS) }) },
  { weight: 1, arbitrary: fc.record({ ...about('test-mode'), pack }) },
)

export type Idea = typeof idea extends fc.Arbitrary<infer T> ? T : never

/** After how many steps a story ends: it becomes as short as it can be by this, before anything in it goes. */
export const steps: fc.Arbitrary<number> = fc.integer({ min: 1, max: MOST_STEPS })

/** Of which a story is made. */
export const ideas: fc.Arbitrary<readonly Idea[]> = fc.array(idea, {
  minLength: 1,
  maxLength: 5 * MOST_STEPS,
  size: 'max',
})

/**
 * The story that comes of ideas, told by the books; without steps where none of them can be.
 *
 * @param most where it ends
 */
export function storyOf(
  some: readonly Idea[],
  { name, steps: most }: { readonly name: string; readonly steps: number },
): Story {
  const books = new Books()
  const stripe = new Rehearsal([...PEOPLE.values()].map(({ is }) => is))
  const steps: Step[] = []
  for (const one of some) {
    if (steps.length === most) break
    const voice = PEOPLE.get(one.who) as Voice
    const act = actOf(one, voice, books.of(one.who), `request-${steps.length + 1}`)
    if (act !== undefined && stripe.takes(act)) steps.push(books.book(act))
  }
  const there = new Set(steps.flatMap(({ act }) => ('who' in act ? [act.who] : [])))
  return story({
    name,
    title: steps.map(({ act }) => say(act)).join(', '),
    people: [...PEOPLE.values()].filter(({ is }) => there.has(is.name)),
    steps,
    minor: books.minor,
    asFound: { red: [], redTwice: [] },
  })
}

/** Undefined: it can't be. Whether Stripe takes it is another question. */
function actOf(one: Idea, voice: Voice, account: Account, request: string): Act | undefined {
  const { balance, session, subscription, invoice } = account
  switch (one.what) {
    case 'use': {
      const tokens = shareOf(balance, one.share)
      if (tokens === 0n) return undefined
      return one.success ? voice.uses(tokens, one.action) : voice.failsToUse(tokens, one.action)
    }
    case 'buy': {
      const { pack, pay, quantity, invoiced } = one
      return voice.buys(pack, { pay, quantity, ...(invoiced && pay === 'card' && { invoiced }) })
    }
    case 'debit':
      if (!session?.pending) return undefined
      return one.succeeds ? voice.debitSucceeds() : voice.debitFails()
    case 'start': {
      if (one.how === 'trial') return voice.startsTrial(one.plan)
      const how = { coupon: one.how === 'coupon' }
      return one.plan === 'annual' ? voice.startsAnnual(how) : voice.starts28Day(how)
    }
    case 'period':
      if (subscription === undefined) return undefined
      if (subscription.isOpen) return one.isPaid ? voice.renewalRecovers() : undefined
      if (subscription.status === 'canceled') return undefined
      if (!one.isPaid) return voice.renewalFails()
      return subscription.status === 'trialing' ? voice.trialEnds() : voice.renews()
    case 'give':
      return voice.isAdjusted(250_000n, request, { clicks: one.clicks })
    case 'take': {
      const tokens = shareOf(balance, one.share)
      return tokens === 0n ? undefined : voice.isAdjusted(-tokens, request, { clicks: one.clicks })
    }
    case 'upgrade':
      return subscription && voice.upgrades(one.to)
    case 'cancel':
      return subscription && voice.cancels(one.at)
    case 'refund-pack':
      return session?.cents ? voice.isRefunded('pack', shareOf(session.cents, one.share)) : undefined
    case 'refund-plan':
      return invoice?.cents ? voice.isRefunded('plan', shareOf(invoice.cents, one.share)) : undefined
    case 'pay-invoice':
      return voice.paysHandMadeInvoice(one.over)
    case 'test-mode':
      return voice.buysInTestMode(one.pack)
  }
}

function shareOf(whole: bigint, of: 'some' | 'all' | 'more'): bigint {
  return { some: whole / 3n, all: whole, more: whole + 1_000n }[of]
}
