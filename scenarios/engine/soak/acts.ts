import { PACK_IDS, PLAN_IDS, type PlanId } from '../../../fixtures/stripe/prices.ts'
import type { AdminAct, StripeAct, UseAct } from '../story.ts'
import type { Dice } from './dice.ts'

/** What can happen to somebody next, as far as Stripe has a say in it. */
interface Standing {
  plan: 'none' | 'trial' | 'running' | 'past due' | 'ended, with an open invoice'
  which: PlanId
  /** Of the pack bought last. */
  pack: 'none' | 'waits' | 'paid'
}

const REFUNDED_CENTS = 2_500n

/** One user's doings, drawn one after the other: each is one that Stripe takes after those before. */
export class Doings {
  readonly #who: string
  readonly #dice: Dice
  readonly #is: Standing = { plan: 'none', which: '28day', pack: 'none' }
  #requests = 0
  #uses = 0

  constructor(who: string, dice: Dice) {
    this.#who = who
    this.#dice = dice
  }

  next(): StripeAct | AdminAct {
    return this.#dice.one(this.#possible())()
  }

  /** No two uses of a user are of the same size: each can be told from the others in the ledger. */
  use(): UseAct {
    const dice = this.#dice
    return {
      do: 'use',
      who: this.#who,
      action: dice.one(['chat_conversation', 'image_generation', 'vision_generation']),
      tokens: BigInt(dice.roll(500)) * 1_000n + BigInt(++this.#uses),
      success: !dice.onceIn(8),
    }
  }

  #possible(): readonly (() => StripeAct | AdminAct)[] {
    const is = this.#is
    const who = this.#who
    const then =
      (act: StripeAct, change: Partial<Standing> = {}) =>
      (): StripeAct => {
        Object.assign(is, change)
        return act
      }
    const which = this.#dice.one(PLAN_IDS)
    const byPlan: Record<Standing['plan'], readonly (() => StripeAct)[]> = {
      none: [
        then(
          {
            do: 'start-plan',
            who,
            plan: which,
            coupon: this.#dice.onceIn(6),
            inCapitals: false,
            by: 'checkout',
          },
          { plan: 'running', which },
        ),
        then({ do: 'start-trial', who, plan: which, by: 'checkout' }, { plan: 'trial', which }),
        then({ do: 'manual-invoice', who, over: 'amount' }),
      ],
      trial: [
        then({ do: 'end-trial', who }, { plan: 'running' }),
        then({ do: 'cancel', who, at: 'now' }, { plan: 'none' }),
      ],
      running: [
        then({ do: 'renew', who }),
        then({ do: 'renew', who }),
        then({ do: 'fail-renewal', who }, { plan: 'past due' }),
        then({ do: 'cancel', who, at: 'period-end' }, { plan: 'none' }),
        ...(is.which === '28day'
          ? [then({ do: 'upgrade-proration', who, to: 'annual' }, { which: 'annual' })]
          : []),
      ],
      'past due': [
        then({ do: 'recover-renewal', who }, { plan: 'running' }),
        then({ do: 'cancel', who, at: 'now' }, { plan: 'ended, with an open invoice' }),
      ],
      'ended, with an open invoice': [then({ do: 'recover-renewal', who }, { plan: 'none' })],
    }
    const byPack: Record<Standing['pack'], readonly (() => StripeAct)[]> = {
      none: [],
      waits: [
        then({ do: 'settle-delayed', who }, { pack: 'paid' }),
        then({ do: 'fail-delayed', who }, { pack: 'none' }),
      ],
      paid: [then({ do: 'refund', who, what: 'pack', cents: REFUNDED_CENTS }, { pack: 'none' })],
    }
    return [
      ...byPlan[is.plan],
      ...byPack[is.pack],
      ...(is.pack === 'waits' ? [] : [() => this.#buy()]),
      then({ do: 'test-mode-purchase', who, pack: 'power' }),
      () => this.#request(),
    ]
  }

  #buy(): StripeAct {
    const dice = this.#dice
    const pay = dice.one(['card', 'card', 'delayed', 'coupon'] as const)
    this.#is.pack = ({ card: 'paid', delayed: 'waits', coupon: 'none' } as const)[pay]
    return {
      do: 'buy-pack',
      who: this.#who,
      pack: dice.one(PACK_IDS),
      pay,
      quantity: dice.roll(2),
      invoiced: pay === 'card' && dice.onceIn(3),
      label: 'right',
    }
  }

  #request(): AdminAct {
    const dice = this.#dice
    const request = `request-${++this.#requests}`
    const size = BigInt(dice.roll(900_000))
    return {
      do: 'admin',
      who: this.#who,
      delta: dice.onceIn(3) ? -size : size,
      reason: `as agreed in ${request}`,
      request,
      clicks: dice.roll(2),
      settles: null,
    }
  }
}
