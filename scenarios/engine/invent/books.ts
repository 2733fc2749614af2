import { OTHER_PRICE, PACKS, type PackId, PLANS, type PlanId } from '../../../fixtures/stripe/prices.ts'
import type { Act, Step } from '../story.ts'
import { person, step, type Told } from '../voices.ts'

/** What a pack adds. Written down here once more: these books are to agree with nobody but the price list. */
const PACK_TOKENS: Readonly<Record<PackId, bigint>> = {
  power: 2_000_000n,
  mega: 5_000_000n,
  ultra: 12_000_000n,
}
const PERIOD_TOKENS: Readonly<Record<PlanId, bigint>> = { annual: 5_000_000n, '28day': 375_000n }
const TRIAL_TOKENS: Readonly<Record<PlanId, bigint>> = { annual: 1_000_000n, '28day': 500_000n }
/** On a balance that is not empty, so many drips add to it; at the next one all of it expires. */
const ROLLOVERS = 3

/** What one person has, and what goes on at Stripe, as far as it can move tokens. */
export interface Account {
  readonly balance: bigint
  /** As much of it at most was bought: plan tokens are spent first. */
  readonly bought: bigint
  readonly rollovers: number
  /** The pack bought last. */
  readonly session: Session | undefined
  /** The subscription that was started last. */
  readonly subscription: Subscription | undefined
  /** The invoice that a refund of the plan refers to. */
  readonly invoice: Payment | undefined
}

interface Payment {
  /** What is paid and not refunded. */
  readonly cents: bigint
  /** Tokens were granted for it. */
  readonly isGranted: boolean
}

interface Session extends Payment {
  readonly tokens: bigint
  /** Cents that a bank debit is to bring; 0 when it came, failed, or never was. */
  readonly pending: bigint
}

interface Subscription {
  readonly plan: PlanId | 'other'
  readonly status: 'trialing' | 'active' | 'past_due' | 'canceled'
  /** A period began, and its invoice is not paid yet. */
  readonly isOpen: boolean
}

const NEW: Account = {
  balance: 0n,
  bought: 0n,
  rollovers: 0,
  session: undefined,
  subscription: undefined,
  invoice: undefined,
}

/** What is made up: what people do at Stripe and in the app every day. What goes wrong around them is told by hand. */
const MADE_UP = [
  'buy-pack',
  'settle-delayed',
  'fail-delayed',
  'test-mode-purchase',
  'start-plan',
  'start-trial',
  'end-trial',
  'renew',
  'fail-renewal',
  'recover-renewal',
  'upgrade-proration',
  'manual-invoice',
  'cancel',
  'refund',
  'admin',
  'use',
] as const
export type MadeUpAct = Extract<Act, { do: (typeof MADE_UP)[number] }>

export const isMadeUp = (act: Act): act is MadeUpAct => MADE_UP.some((one) => one === act.do)

/**
 * A model of what is owed and of the balances, small enough to be checked by reading. It shares no line with the app, its
 * SQL or the audit. Acts are booked as they happen; Stripe is asked elsewhere whether they can.
 */
export class Books {
  readonly #accounts = new Map<string, Account>()
  readonly #minor = new Set<string>()

  of(who: string): Account {
    return this.#accounts.get(who) ?? NEW
  }

  /** The minor invariants that are red by what was booked, sorted. */
  get minor(): readonly string[] {
    return [...this.#minor].sort()
  }

  /** Books what comes of an act; the whole step. Throws for an act that is not made up. */
  book(act: Act): Step {
    if (!isMadeUp(act)) throw new Error(`the books know nothing of ${act.do}`)
    const told = this.#tell(act)
    return step(act, ...told, ...(told.length === 0 ? [] : [person(act.who).has(this.of(act.who).balance)]))
  }

  #tell(act: MadeUpAct): Told[] {
    const { who } = act
    const account = this.of(who)
    const { session, subscription } = account
    switch (act.do) {
      case 'buy-pack': {
        const quantity = BigInt(act.quantity)
        const tokens = PACK_TOKENS[act.pack] * quantity
        const price = PACKS[act.pack].price.cents * quantity
        const pending = act.pay === 'delayed' ? price : 0n
        const cents = act.pay === 'card' ? price : 0n
        this.#set(who, { session: { tokens, cents, pending, isGranted: pending === 0n } })
        return pending > 0n ? [] : this.#addPack(who, tokens)
      }
      case 'settle-delayed': {
        if (session === undefined) return []
        this.#set(who, { session: { ...session, cents: session.pending, pending: 0n, isGranted: true } })
        return this.#addPack(who, session.tokens)
      }
      case 'fail-delayed':
        if (session) this.#set(who, { session: { ...session, pending: 0n } })
        return []
      case 'start-plan': {
        const { plan, coupon } = act
        this.#set(who, { subscription: { plan, status: 'active', isOpen: false } })
        return this.#payPeriod(who, coupon ? 0n : PLANS[plan].price.cents)
      }
      case 'start-trial': {
        this.#set(who, { subscription: { plan: act.plan, status: 'trialing', isOpen: false } })
        const tokens = TRIAL_TOKENS[act.plan]
        this.#set(who, { balance: account.balance + tokens })
        return [person(who).getsTrial(tokens)]
      }
      case 'end-trial':
      case 'renew':
        if (subscription) this.#set(who, { subscription: { ...subscription, status: 'active' } })
        return this.#payPeriod(who)
      case 'fail-renewal':
        if (subscription) {
          this.#set(who, { subscription: { ...subscription, status: 'past_due', isOpen: true } })
        }
        this.#set(who, { invoice: { cents: 0n, isGranted: false } })
        return []
      case 'recover-renewal':
        if (subscription) {
          const status = subscription.status === 'canceled' ? 'canceled' : 'active'
          this.#set(who, { subscription: { ...subscription, status, isOpen: false } })
        }
        return this.#payPeriod(who)
      case 'upgrade-proration':
        if (subscription) this.#set(who, { subscription: { ...subscription, plan: act.to } })
        return []
      case 'cancel':
        if (subscription) this.#set(who, { subscription: { ...subscription, status: 'canceled' } })
        return []
      case 'refund': {
        const what = act.what === 'pack' ? 'session' : 'invoice'
        const paid = account[what]
        if (paid === undefined) return []
        this.#set(who, { [what]: { ...paid, cents: paid.cents - act.cents } })
        // No tokens are taken back: policy, and the audit says what it costs.
        if (paid.isGranted) this.#minor.add('refunded-purchase-kept-tokens')
        return []
      }
      case 'manual-invoice':
      case 'test-mode-purchase':
        return []
      case 'admin': {
        if (act.delta < 0n) {
          const moves = this.#take(who, -act.delta)
          return [person(who).isTaken(-act.delta, { moves })]
        }
        this.#set(who, { balance: account.balance + act.delta })
        return [person(who).isGiven(act.delta)]
      }
      case 'use': {
        const { action, tokens } = act
        return [person(who).spends(tokens, { action, moves: act.success ? this.#take(who, tokens) : 0n })]
      }
    }
  }

  #addPack(who: string, tokens: bigint): Told[] {
    const { balance, bought } = this.of(who)
    this.#set(who, { balance: balance + tokens, bought: bought + tokens })
    return [person(who).getsPack(tokens)]
  }

  /** The subscription's period is paid: a year replaces what is left, 28 days add to it, or let it expire. */
  #payPeriod(who: string, paid?: bigint): Told[] {
    const { subscription, balance, rollovers } = this.of(who)
    if (subscription === undefined) return []
    const { plan } = subscription
    const price = plan === 'other' ? OTHER_PRICE : PLANS[plan].price
    this.#set(who, { invoice: { cents: paid ?? price.cents, isGranted: plan !== 'other' } })
    if (plan === 'other') return []
    const rolled = plan === '28day' && balance > 0n ? rollovers + 1 : 0
    const isReset = plan === 'annual' || rolled > ROLLOVERS
    const told = isReset ? this.#reset(who) : []
    const tokens = PERIOD_TOKENS[plan]
    this.#set(who, { balance: this.of(who).balance + tokens, rollovers: isReset ? 0 : rolled })
    return [...told, person(who).getsPlan(tokens)]
  }

  #reset(who: string): Told[] {
    const { balance, bought } = this.of(who)
    if (balance === 0n) return []
    if (bought > 0n) this.#minor.add('reset-took-bought-tokens')
    this.#set(who, { balance: 0n, bought: 0n })
    return [person(who).losesRest(balance)]
  }

  /** How much of it was there to be taken. */
  #take(who: string, tokens: bigint): bigint {
    const { balance, bought } = this.of(who)
    if (tokens > balance) this.#minor.add('overdraft')
    const moves = tokens > balance ? balance : tokens
    const left = balance - moves
    this.#set(who, { balance: left, bought: bought > left ? left : bought })
    return moves
  }

  #set(who: string, change: Partial<Account>): void {
    this.#accounts.set(who, { ...this.of(who), ...change })
  }
}
