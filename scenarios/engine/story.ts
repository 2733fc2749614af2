import type { PackId, PlanId } from '../../fixtures/stripe/prices.ts'

/**
 * A story is data: what people and Stripe do, and the complete effect of each step on the ledger. It says nothing of
 * the order, the number or the shape of the deliveries that carry a step to the app: whatever they are, the effect is
 * the same. Expectations are written by hand; nothing here is computed from the code that is judged.
 */
export interface Story {
  /** Kebab case; what `npm run replay -- NAME` takes. */
  readonly name: string
  /** What holds, as one sentence. */
  readonly title: string
  readonly people: readonly StoryPerson[]
  readonly steps: readonly Step[]
  /** Ids of the minor invariants that turn red although all is as told: an overdraft, say. */
  readonly minor: readonly string[]
  /** Ids of exactly those invariants that turn red when the app as it was found is told the same. */
  readonly asFound: {
    readonly red: readonly string[]
    /** The same with every delivery, and every admin request, sent twice. */
    readonly redTwice: readonly string[]
  }
}

export interface StoryPerson {
  readonly name: string
  /** Has a draft profile beside the active one. */
  readonly hasDraft: boolean
  /** The balance with which this person comes into the story: 0 unless an earlier story was theirs. */
  readonly balance: bigint
}

export interface Step {
  readonly act: Act
  /** Every row that the step adds to token_usage: these, and no others. */
  readonly rows: readonly ExpectedRow[]
  /** The balances that the step leaves, on all profile rows; who is not named has what he had. */
  readonly balances: Readonly<Record<string, bigint>>
  /** How what is not 2xx is answered. Stripe goes on delivering a 5xx, with the steps that follow too. */
  readonly answer: '2xx' | '4xx' | '5xx'
}

export interface ExpectedRow {
  readonly who: string
  readonly type: string
  /** As the row says it: never negative, whatever the direction. */
  readonly tokens: bigint
  /** What the row moves: less than its tokens where it overdraws, nothing for a call that failed. */
  readonly delta: bigint
  /** The kind of its grant key, whose id is the one of the step's own session, invoice, subscription or request. */
  readonly key: KeyKind | null
}

export type KeyKind = 'checkout_session' | 'invoice' | 'invoice:reset' | 'trial' | 'admin'

/** By the person in Checkout, or by support. */
export type StartedBy = 'checkout' | 'support'

/** What the shop has written on a session: who bought which pack. */
export type SessionLabel = 'right' | 'another-pack' | 'unknown-pack' | 'no-user' | 'unknown-user' | 'capitals'

export type Act = StripeAct | AdminAct | UseAct | HouseAct | ForgeryAct

/** What a person does at Stripe, or Stripe by itself. "The" subscription or session is the person's latest. */
export type StripeAct =
  | {
      readonly do: 'buy-pack'
      readonly who: string
      readonly pack: PackId
      readonly pay: 'card' | 'delayed' | 'coupon'
      readonly quantity: number
      /** The session is made with invoice_creation: Stripe sends an invoice.paid too. */
      readonly invoiced: boolean
      readonly label: SessionLabel
    }
  /** What is wrong on the person's latest session is put right at Stripe. */
  | { readonly do: 'mend-session'; readonly who: string }
  /** In Checkout, once, and no tokens. */
  | { readonly do: 'buy-workshop'; readonly who: string }
  | { readonly do: 'settle-delayed' | 'fail-delayed'; readonly who: string }
  | { readonly do: 'test-mode-purchase'; readonly who: string; readonly pack: PackId }
  | {
      readonly do: 'start-plan'
      readonly who: string
      readonly plan: PlanId
      readonly coupon: boolean
      /** The Checkout session names the user in capitals, the subscription does not. */
      readonly inCapitals: boolean
      readonly by: StartedBy
    }
  | { readonly do: 'start-trial'; readonly who: string; readonly plan: PlanId; readonly by: StartedBy }
  /** Support starts it with a fee, which is never paid: a day later it has expired. */
  | { readonly do: 'fail-trial'; readonly who: string; readonly plan: PlanId }
  | { readonly do: 'end-trial' | 'renew' | 'fail-renewal' | 'recover-renewal'; readonly who: string }
  /** The open invoice of a renewal is marked as paid. */
  | { readonly do: 'pay-out-of-band'; readonly who: string }
  /** To the subscription that runs; or the card is gone when a trial ends. */
  | { readonly do: 'give-trial' | 'pause-trial'; readonly who: string }
  /** Items of no plan, on the next invoice. */
  | { readonly do: 'add-extras'; readonly who: string; readonly count: number }
  /** Prorated on the next invoice; in a trial not at all. */
  | { readonly do: 'change-plan'; readonly who: string; readonly to: PlanId | 'other' }
  /** `other`: a yearly plan that grants no tokens. */
  | { readonly do: 'upgrade-proration'; readonly who: string; readonly to: 'annual' | 'other' }
  /** Over an amount that somebody typed in, or over the price of a plan. */
  | { readonly do: 'manual-invoice'; readonly who: string; readonly over: PlanId | 'amount' }
  | { readonly do: 'cancel'; readonly who: string; readonly at: 'now' | 'period-end' }
  /** Of the pack bought last, or of the plan's latest invoice. */
  | { readonly do: 'refund'; readonly who: string; readonly what: 'pack' | 'plan'; readonly cents: bigint }

export interface AdminAct {
  readonly do: 'admin'
  readonly who: string
  readonly delta: bigint
  readonly reason: string
  /** The request id that the admin page made when it was opened; all clicks carry it. */
  readonly request: string
  readonly clicks: number
  /** Whose refund it settles: the payment of the pack bought last, or of the plan's latest invoice. */
  readonly settles: 'pack' | 'plan' | null
}

export interface UseAct {
  readonly do: 'use'
  readonly who: string
  readonly action: string
  readonly tokens: bigint
  readonly success: boolean
}

/** What happens in our own database: something is wrong there, and is mended later. */
export type HouseAct =
  /** The price is a new one in Stripe, and our tier has the old one; `known`: it has the new one again. */
  | { readonly do: 'set-tier-price'; readonly plan: PlanId | 'other'; readonly known: boolean }
  /** Our row of the person's subscription is given to this user. */
  | { readonly do: 'give-subscription-row'; readonly who: string; readonly to: string }
  /** Signing up broke off, say: the account is there, a draft perhaps, and its profile is not; or it is there now. */
  | { readonly do: 'lose-profile' | 'regain-profile'; readonly who: string }
  /** The balance column holds null, which an older install allows. */
  | { readonly do: 'null-balance'; readonly who: string }
  /** We have a live row of a subscription that Stripe does not know: it was tried in test mode. */
  | { readonly do: 'leave-subscription-row'; readonly who: string }
  /** Stripe delivers by the endpoint that another has replaced, which has a secret of its own. */
  | { readonly do: 'use-old-endpoint' }

/**
 * Somebody who is not Stripe posts an event: of a purchase that never was, without a signature or under a secret of
 * their own; or one that Stripe has signed an hour ago and somebody has recorded, of the person's latest session.
 */
export interface ForgeryAct {
  readonly do: 'forge'
  readonly who: string
  readonly how: 'unsigned' | 'wrongly-signed' | 'recorded'
}

/** The story contradicts itself: nobody could make it come true. */
export class StoryError extends Error {
  override name = 'StoryError'
}

/** An act in words. */
export function say(act: Act): string {
  switch (act.do) {
    case 'buy-pack': {
      const what = `${act.quantity === 1 ? 'a' : act.quantity} ${act.pack} pack${act.quantity === 1 ? '' : 's'}`
      const how = { card: 'by card', delayed: 'by bank debit', coupon: 'with a 100 % coupon' }[act.pay]
      const label = act.label === 'right' ? '' : `, and the session ${LABEL_WORDS[act.label]}`
      return `${act.who} buys ${what} ${how}${act.invoiced ? ', with an invoice' : ''}${label}`
    }
    case 'mend-session':
      return `what ${act.who}'s session says is put right`
    case 'buy-workshop':
      return `${act.who} buys a workshop`
    case 'settle-delayed':
      return `${act.who}'s bank debit succeeds`
    case 'fail-delayed':
      return `${act.who}'s bank debit fails`
    case 'test-mode-purchase':
      return `${act.who} buys a ${act.pack} pack in Stripe's test mode`
    case 'start-plan':
      return `${act.who} starts the ${PLAN_WORDS[act.plan]} plan${act.coupon ? ' with a 100 % coupon' : ''}${BY_WORDS[act.by]}${act.inCapitals ? ', named in capitals' : ''}`
    case 'start-trial':
      return `${act.who} starts a trial of the ${PLAN_WORDS[act.plan]} plan${BY_WORDS[act.by]}`
    case 'fail-trial':
      return `${act.who}'s trial of the ${PLAN_WORDS[act.plan]} plan has a fee that is never paid`
    case 'pay-out-of-band':
      return `${act.who}'s renewal is marked as paid`
    case 'give-trial':
      return `${act.who} is given a trial while the plan runs`
    case 'pause-trial':
      return `${act.who}'s trial ends without a card, and pauses`
    case 'add-extras':
      return `support adds ${act.count} items to ${act.who}'s next invoice`
    case 'change-plan':
      return `${act.who} changes to ${act.to === 'other' ? 'another product' : `the ${PLAN_WORDS[act.to]} plan`}`
    case 'end-trial':
      return `${act.who}'s trial ends and is paid on`
    case 'renew':
      return `${act.who}'s plan renews`
    case 'fail-renewal':
      return `${act.who}'s renewal can't be paid`
    case 'recover-renewal':
      return `${act.who}'s renewal is paid at last`
    case 'upgrade-proration':
      return `${act.who} upgrades to ${act.to === 'annual' ? 'the annual plan' : 'another product'}, invoiced at once`
    case 'manual-invoice':
      return `${act.who} pays an invoice made by hand over ${act.over === 'amount' ? 'some amount' : `the ${PLAN_WORDS[act.over]} plan`}`
    case 'cancel':
      return `${act.who} cancels ${act.at === 'now' ? 'at once' : 'at the end of the period, which comes'}`
    case 'refund':
      return `${act.who} is refunded ${act.cents} cents of the ${act.what}`
    case 'admin': {
      const what = `${act.delta > 0n ? '+' : '−'}${count(act.delta < 0n ? -act.delta : act.delta)}`
      const clicks = act.clicks > 1 ? `, ${act.clicks} clicks` : ''
      const settled = act.settles === null ? '' : `, for the refund of the ${act.settles}`
      return `an admin adjusts ${act.who} by ${what} (${act.request})${settled}${clicks}`
    }
    case 'use':
      return `${act.who} uses ${count(act.tokens)} for ${act.action}${act.success ? '' : ', and the call fails'}`
    case 'set-tier-price':
      return `our ${act.plan === 'other' ? 'other' : PLAN_WORDS[act.plan]} tier ${act.known ? 'gets its new price' : 'lacks its new price'}`
    case 'give-subscription-row':
      return `our row of ${act.who}'s subscription says that it is ${act.to}'s`
    case 'lose-profile':
      return `${act.who} has no profile`
    case 'regain-profile':
      return `${act.who} has a profile again`
    case 'null-balance':
      return `${act.who}'s balance is null`
    case 'leave-subscription-row':
      return `a subscription of ${act.who}'s is left over from test mode`
    case 'use-old-endpoint':
      return 'the endpoint that another has replaced delivers again'
    case 'forge':
      return `somebody posts an event of ${act.who}'s, ${FORGERY_WORDS[act.how]}`
  }
}

const LABEL_WORDS: Readonly<Record<Exclude<SessionLabel, 'right'>, string>> = {
  'another-pack': 'names another',
  'unknown-pack': 'names one that we do not know',
  'no-user': 'names no user',
  'unknown-user': 'names a user who is not there',
  capitals: 'names the user in capitals',
}
const FORGERY_WORDS = {
  unsigned: 'unsigned',
  'wrongly-signed': 'signed by themselves',
  recorded: 'as Stripe has signed it an hour ago',
} as const

const BY_WORDS = { checkout: '', support: ', by support' } as const

const PLAN_WORDS = { annual: 'annual', '28day': '28-day' } as const

/** A number of tokens as people read it. */
export function count(tokens: bigint): string {
  return tokens.toLocaleString('en-US')
}
