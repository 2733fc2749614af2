import type { PackId, PlanId } from '../../fixtures/stripe/prices.ts'
import { checkStory } from './check-story.ts'
import type {
  Act,
  AdminAct,
  ExpectedRow,
  ForgeryAct,
  SessionLabel,
  StartedBy,
  Step,
  Story,
  StoryPerson,
} from './story.ts'

/** How a plan is started. */
interface Start {
  readonly coupon?: boolean
  readonly by?: StartedBy
  readonly inCapitals?: boolean
}

/** What a step leads to: a row, a balance, an answer. */
export type Told =
  | { readonly row: ExpectedRow }
  | { readonly has: readonly [string, bigint] }
  | { readonly answer: '4xx' | '5xx' }

/**
 * The words in which stories are told. Methods in the first column say what somebody does; those in the columns after
 * it say what comes of it.
 */
export function person(name: string, traits: { hasDraft?: true; balance?: bigint } = {}) {
  const row = (effect: Omit<ExpectedRow, 'who'>): Told => ({ row: { who: name, ...effect } })
  const adds =
    (type: string, key: ExpectedRow['key']) =>
    (tokens: bigint): Told =>
      row({ type, tokens, delta: tokens, key })
  const about = <Do extends string>(what: Do) => ({ do: what, who: name })
  const start = (plan: PlanId, { coupon = false, by = 'checkout', inCapitals = false }: Start = {}): Act => ({
    ...about('start-plan'),
    plan,
    coupon,
    by,
    inCapitals,
  })

  return {
    is: { name, hasDraft: traits.hasDraft ?? false, balance: traits.balance ?? 0n } satisfies StoryPerson,

    // What happens.
    buys: (
      pack: PackId,
      how: {
        pay?: 'card' | 'delayed' | 'coupon'
        quantity?: number
        invoiced?: true
        label?: SessionLabel
      } = {},
    ): Act => ({
      ...about('buy-pack'),
      pack,
      pay: how.pay ?? 'card',
      quantity: how.quantity ?? 1,
      invoiced: how.invoiced ?? false,
      label: how.label ?? 'right',
    }),
    sessionIsMended: (): Act => about('mend-session'),
    buysWorkshop: (): Act => about('buy-workshop'),
    buysInTestMode: (pack: PackId): Act => ({ ...about('test-mode-purchase'), pack }),
    debitSucceeds: (): Act => about('settle-delayed'),
    debitFails: (): Act => about('fail-delayed'),
    startsAnnual: (how: Start = {}): Act => start('annual', how),
    starts28Day: (how: Start = {}): Act => start('28day', how),
    startsTrial: (plan: PlanId, by: StartedBy = 'checkout'): Act => ({ ...about('start-trial'), plan, by }),
    failsToStartTrial: (plan: PlanId): Act => ({ ...about('fail-trial'), plan }),
    isGivenTrial: (): Act => about('give-trial'),
    trialPauses: (): Act => about('pause-trial'),
    trialEnds: (): Act => about('end-trial'),
    renews: (): Act => about('renew'),
    renewalFails: (): Act => about('fail-renewal'),
    renewalRecovers: (): Act => about('recover-renewal'),
    renewalIsMarkedAsPaid: (): Act => about('pay-out-of-band'),
    isBilledExtras: (count: number): Act => ({ ...about('add-extras'), count }),
    changesPlan: (to: PlanId | 'other'): Act => ({ ...about('change-plan'), to }),
    upgrades: (to: 'annual' | 'other'): Act => ({ ...about('upgrade-proration'), to }),
    paysHandMadeInvoice: (over: PlanId | 'amount'): Act => ({ ...about('manual-invoice'), over }),
    cancels: (at: 'now' | 'period-end'): Act => ({ ...about('cancel'), at }),
    isRefunded: (what: 'pack' | 'plan', cents: bigint): Act => ({ ...about('refund'), what, cents }),
    isAdjusted: (
      delta: bigint,
      request: string,
      how: Partial<Pick<AdminAct, 'clicks' | 'reason' | 'settles'>> = {},
    ): Act => ({
      ...about('admin'),
      delta,
      reason: how.reason ?? `as agreed in ${request}`,
      request,
      clicks: how.clicks ?? 1,
      settles: how.settles ?? null,
    }),
    uses: (tokens: bigint, action = 'chat_conversation'): Act => ({
      ...about('use'),
      action,
      tokens,
      success: true,
    }),
    failsToUse: (tokens: bigint, action = 'chat_conversation'): Act => ({
      ...about('use'),
      action,
      tokens,
      success: false,
    }),
    losesSubscriptionRow: (to: string): Act => ({ ...about('give-subscription-row'), to }),
    regainsSubscriptionRow: (): Act => ({ ...about('give-subscription-row'), to: name }),
    losesProfile: (): Act => about('lose-profile'),
    regainsProfile: (): Act => about('regain-profile'),
    balanceIsNull: (): Act => about('null-balance'),
    hasRowLeftOver: (): Act => about('leave-subscription-row'),
    isImpersonated: (how: ForgeryAct['how']): Act => ({ ...about('forge'), how }),

    // What comes of it.
    getsPack: adds('token_pack_purchase', 'checkout_session'),
    getsPlan: adds('subscription_grant', 'invoice'),
    getsTrial: adds('trial_grant', 'trial'),
    isGiven: adds('admin_grant', 'admin'),
    /** `moves`: how much of it was there to be taken, where it was less. */
    isTaken: (tokens: bigint, { moves = tokens } = {}): Told =>
      row({ type: 'admin_deduct', tokens, delta: -moves, key: 'admin' }),
    /** What a reset takes away: what was left of a year, or what has rolled over too often. */
    losesRest: (tokens: bigint): Told =>
      row({ type: 'admin_deduct', tokens, delta: -tokens, key: 'invoice:reset' }),
    spends: (tokens: bigint, { action = 'chat_conversation', moves = tokens } = {}): Told =>
      row({ type: action, tokens, delta: -moves, key: null }),
    has: (balance: bigint): Told => ({ has: [name, balance] }),
  }
}

export type Voice = ReturnType<typeof person>

/** The plan has a new price in Stripe, and nobody has told our tiers. */
export const ourTierLacksItsPrice = (plan: PlanId | 'other'): Act => ({
  do: 'set-tier-price',
  plan,
  known: false,
})
export const ourTierGetsItsPrice = (plan: PlanId | 'other'): Act => ({
  do: 'set-tier-price',
  plan,
  known: true,
})

export const theOldEndpointDelivers: Act = { do: 'use-old-endpoint' }

/** What somebody does, and all that comes of it. */
export function step(act: Act, ...told: readonly Told[]): Step {
  const balances: [string, bigint][] = told.flatMap((one) => ('has' in one ? [[...one.has]] : []))
  return {
    act,
    rows: told.flatMap((one) => ('row' in one ? [one.row] : [])),
    balances: Object.fromEntries(balances),
    answer: told.find((one) => 'answer' in one)?.answer ?? '2xx',
  }
}

export const isRefused: Told = { answer: '4xx' }
/** The app can't settle it now: Stripe is to deliver it again. */
export const staysUndelivered: Told = { answer: '5xx' }

/** A story in which the app as it was found turns nothing red needs no `asFound`. Throws StoryError. */
export function story(
  told: Pick<Story, 'name' | 'title' | 'steps'> & {
    readonly people: readonly Pick<Voice, 'is'>[]
    readonly minor?: readonly string[]
    readonly asFound: Story['asFound']
  },
): Story {
  return checkStory({ ...told, people: told.people.map(({ is }) => is), minor: told.minor ?? [] })
}
