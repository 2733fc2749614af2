import { createHash } from 'node:crypto'
import { type Person, people } from '../../fixtures/people.ts'
import type { Delivery } from '../../fixtures/stripe/event.ts'
import { packSale } from '../../fixtures/stripe/flows/pack.ts'
import type { Metadata } from '../../fixtures/stripe/model.ts'
import { OTHER_PRICE, type PackId, PLANS, WORKSHOP } from '../../fixtures/stripe/prices.ts'
import { type StripeObjects, StripeSimulator } from '../../fixtures/stripe/simulator.ts'
import { type ApiVersion, DEFAULT_API_VERSION } from '../../fixtures/stripe/versions.ts'
import type { Subjects } from './effects.ts'
import type { AdminAct, ForgeryAct, SessionLabel, StoryPerson, StripeAct } from './story.ts'

export interface AdminRequest {
  readonly id: string
  readonly user_id: string
  readonly delta: string
  readonly reason: string
  readonly admin_user_id: null
  readonly requested_at: string
}

/** What an act at Stripe brings about. */
export interface Happened {
  readonly deliveries: readonly Delivery[]
  readonly subjects: Subjects
}

/**
 * When stories begin, on Stripe's clock. What is owed from later than the audit's own time is not judged, so it lies
 * years back: no story lasts so long.
 */
const START = new Date('2024-01-08T09:00:00Z')

/** The same name, the same number. */
export const seedOf = (name: string): number => createHash('sha256').update(name).digest().readUInt32BE()

/**
 * The people of a story, their Stripe account with its clock, and what they did there last. It outlives the app that
 * is told of it: another story may go on with the same people.
 */
export class Cast {
  readonly name: string
  readonly people: ReadonlyMap<string, Person>
  readonly stripe: StripeSimulator
  readonly adminRequests: AdminRequest[] = []
  /** What the app has not taken yet, and Stripe goes on delivering. */
  undelivered: Happened = { deliveries: [], subjects: {} }
  /** Stripe signs by the secret of the endpoint that another has replaced. */
  usesOldEndpoint = false
  readonly #seed: number
  readonly #last = new Map<string, Last>()

  /** Everything about it follows from its name, and from the version in which events are told. */
  constructor(name: string, wanted: readonly StoryPerson[], apiVersion: ApiVersion = DEFAULT_API_VERSION) {
    const seed = seedOf(name)
    const names = wanted.map((person) => person.name)
    const withDraft = wanted.filter(({ hasDraft }) => hasDraft).map((person) => person.name)
    this.name = name
    this.#seed = seed
    this.people = new Map(Object.entries(people(seed, names, withDraft)))
    this.stripe = new StripeSimulator({ seed, start: START, apiVersion })
  }

  /** Throws for somebody who is not in the cast. */
  person(name: string): Person {
    const person = this.people.get(name)
    if (person === undefined) throw new Error(`${name} is not among ${[...this.people.keys()].join(', ')}`)
    return person
  }

  /** Does at Stripe what the act says. Throws where Stripe would refuse it: the story is wrong. */
  act(act: StripeAct): Happened {
    this.stripe.advance({ hours: 1 })
    const { stripe } = this
    const person = this.person(act.who)
    const last = this.#last.get(act.who) ?? {}
    this.#last.set(act.who, last)
    const latest = (what: 'session' | 'subscription' | 'invoice'): string => {
      const id = last[what]
      if (id === undefined) throw new Error(`${act.who} has no ${what} yet`)
      return id
    }

    switch (act.do) {
      case 'buy-pack': {
        const { pack, pay, quantity, invoiced: invoiceCreation } = act
        const right = packSale(person, pack).metadata
        const metadata = labelled(right, act.label, person)
        const bought = stripe.buyPack({ person, pack, pay, quantity, invoiceCreation, metadata })
        const { sessionId, deliveries } = bought
        last.session = sessionId
        last.rightMetadata = right
        return { deliveries, subjects: { checkout_session: sessionId } }
      }
      case 'mend-session':
        stripe.relabelSession(latest('session'), last.rightMetadata ?? {})
        return { deliveries: [], subjects: {} }
      case 'buy-workshop':
        return { deliveries: stripe.buyWorkshop(person).deliveries, subjects: {} }
      case 'settle-delayed':
        return {
          deliveries: stripe.settleDelayed(latest('session')),
          subjects: { checkout_session: latest('session') },
        }
      case 'fail-delayed':
        return { deliveries: stripe.failDelayed(latest('session')), subjects: {} }
      case 'test-mode-purchase':
        return { deliveries: stripe.testModePurchase({ person, pack: act.pack }).deliveries, subjects: {} }
      case 'start-plan': {
        const { coupon, by, inCapitals } = act
        const how = {
          person,
          coupon,
          by,
          sessionUserId: inCapitals ? person.userId.toUpperCase() : undefined,
        }
        const started = act.plan === 'annual' ? stripe.startAnnual(how) : stripe.start28Day(how)
        last.subscription = started.subscriptionId
        last.invoice = started.invoiceId
        return { deliveries: started.deliveries, subjects: { invoice: started.invoiceId } }
      }
      case 'start-trial': {
        const { subscriptionId, deliveries } = stripe.startTrial({ person, plan: act.plan, by: act.by })
        last.subscription = subscriptionId
        return { deliveries, subjects: { trial: subscriptionId } }
      }
      case 'fail-trial': {
        const { subscriptionId, deliveries } = stripe.failTrial({ person, plan: act.plan })
        last.subscription = subscriptionId
        return { deliveries, subjects: {} }
      }
      case 'give-trial':
        return { deliveries: stripe.giveTrial(latest('subscription')), subjects: {} }
      case 'pause-trial':
        return { deliveries: stripe.pauseTrial(latest('subscription')), subjects: {} }
      case 'add-extras':
        return { deliveries: stripe.addExtras(latest('subscription'), act.count), subjects: {} }
      case 'change-plan':
        return { deliveries: stripe.changePlan(latest('subscription'), act.to), subjects: {} }
      case 'pay-out-of-band':
        return this.#invoiced(last, stripe.payOutOfBand(latest('subscription')))
      case 'end-trial':
        return this.#invoiced(last, stripe.endTrial(latest('subscription')))
      case 'renew':
        return this.#invoiced(last, stripe.renew(latest('subscription')))
      case 'fail-renewal':
        return this.#invoiced(last, stripe.failRenewal(latest('subscription')))
      case 'recover-renewal':
        return this.#invoiced(last, stripe.recoverRenewal(latest('subscription')))
      case 'upgrade-proration':
        return {
          deliveries: stripe.upgradeProration(latest('subscription'), act.to).deliveries,
          subjects: {},
        }
      case 'manual-invoice': {
        const plan = act.over === 'amount' ? undefined : act.over
        return { deliveries: stripe.manualInvoice(person, plan).deliveries, subjects: {} }
      }
      case 'cancel': {
        const id = latest('subscription')
        const deliveries =
          act.at === 'now'
            ? stripe.cancel(id, 'now')
            : [...stripe.cancel(id, 'period_end'), ...stripe.endCancelled(id)]
        return { deliveries, subjects: {} }
      }
      case 'refund': {
        const paid = act.what === 'pack' ? latest('session') : latest('invoice')
        return { deliveries: stripe.refund(paid, act.cents).deliveries, subjects: {} }
      }
    }
  }

  /** The id under which an admin request is known to the app: its name in the story, made unique. */
  requestId(act: AdminAct): string {
    return `${this.name}.${act.request}`
  }

  /** The payment whose refund an adjustment settles; undefined where it settles none. Throws where nothing was paid. */
  paymentSettledBy({ who, settles }: AdminAct): string | undefined {
    if (settles === null) return undefined
    const { world } = this.stripe
    const { session = '', invoice = '' } = this.#last.get(who) ?? {}
    const { paymentIntent } =
      settles === 'pack' ? world.get('checkout.session', session) : world.get('invoice', invoice)
    if (paymentIntent === null) throw new Error(`${who} has paid nothing for the ${settles}`)
    return paymentIntent
  }

  /** What a forger posts. Of what never was, Stripe's API knows nothing either. Throws where there is nothing to record. */
  forged({ who, how }: ForgeryAct): Delivery {
    const person = this.person(who)
    const elsewhere = new StripeSimulator({ seed: this.#seed + 1, start: this.stripe.now })
    const session = this.#last.get(who)?.session
    const events =
      how === 'recorded'
        ? this.stripe.history()
        : elsewhere.buyPack({ person, pack: 'ultra', pay: 'card' }).deliveries
    const found = events.find(
      ({ event: { type, data } }) =>
        type === 'checkout.session.completed' && (how !== 'recorded' || data.object.id === session),
    )
    if (found === undefined) throw new Error(`${who} has bought nothing that could be recorded`)
    return found
  }

  /** Notes a request that the story says is granted: what it owes. */
  request(act: AdminAct): void {
    const { delta, reason } = act
    this.adminRequests.push({
      id: this.requestId(act),
      user_id: this.person(act.who).userId,
      delta: String(delta),
      reason,
      admin_user_id: null,
      requested_at: this.stripe.now.toISOString(),
    })
  }

  /** The subscription that the person started last, by Stripe's id. */
  subscriptionOf(who: string): string {
    const id = this.#last.get(who)?.subscription
    if (id === undefined) throw new Error(`${who} has no subscription yet`)
    return id
  }

  #invoiced(
    last: { invoice?: string },
    { invoiceId, deliveries }: { invoiceId: string; deliveries: readonly Delivery[] },
  ): Happened {
    last.invoice = invoiceId
    return { deliveries, subjects: { invoice: invoiceId } }
  }
}

/** What people did at Stripe last. */
interface Last {
  session?: string
  /** What ought to be written on it. */
  rightMetadata?: Metadata
  subscription?: string
  invoice?: string
}

const ANOTHER: Readonly<Record<PackId, PackId>> = { power: 'ultra', mega: 'ultra', ultra: 'mega' }

function labelled(right: Metadata, label: SessionLabel, person: Person): Metadata {
  const { user_id: userId = '', pack_id: pack, ...rest } = right
  switch (label) {
    case 'right':
      return right
    case 'another-pack':
      return packSale(person, ANOTHER[pack as PackId]).metadata
    case 'unknown-pack':
      return { ...right, pack_id: 'giga' }
    case 'no-user':
      return { ...rest, pack_id: pack ?? '' }
    case 'unknown-user':
      return { ...right, user_id: '00000000-0000-4000-8000-000000000000' }
    case 'capitals':
      return { ...right, user_id: userId.toUpperCase() }
  }
}

/** An evidence file of what these casts did: complete, since ever. */
export function evidenceOf(casts: readonly Cast[]): unknown {
  const objects = casts.map(({ stripe }) => stripe.objects())
  const all = (key: keyof StripeObjects) => objects.flatMap((of) => of[key])
  return {
    version: 1,
    livemode: true,
    covers: ['checkout_session', 'invoice', 'trial', 'admin'].map((kind) => ({ kind, from: null, to: null })),
    tiers: {
      ...Object.fromEntries(Object.values(PLANS).map(({ price, tier }) => [price.id, tier])),
      [OTHER_PRICE.id]: null,
      [WORKSHOP.id]: null,
    },
    checkout_sessions: all('checkout_sessions'),
    invoices: all('invoices'),
    subscriptions: all('subscriptions'),
    charges: all('charges'),
    admin_requests: casts.flatMap(({ adminRequests }) => adminRequests),
  }
}
