import { randomUUID } from 'node:crypto'
import { describe, expect } from 'vitest'
import {
  deliver,
  eventOf,
  invoiceOf,
  line,
  newId,
  packSession,
  type StripeObject,
  sessionLine,
  subscriptionOf,
  subscriptionSession,
  TRIAL,
  trialOf,
} from './hand-made-stripe.ts'
import { test } from './test.ts'

describe('a fact is granted once, whatever tells of it', () => {
  test('the same event, sent again', async ({ stand }) => {
    const { app, stripe, user, ledger } = await stand('repaired')
    const ann = await user()
    const session = stripe.give(packSession(ann))
    const event = eventOf('checkout.session.completed', session)
    await deliver(app, event)
    const again = await deliver(app, event)
    expect(again).toEqual({
      status: 200,
      body: { received: true, did: `already granted checkout_session:${session.id}` },
    })
    expect(await ledger(ann)).toHaveLength(1)
  })

  // Kills "select, then insert" and read-modify-write of the balance: a sequential repetition can't.
  test('the same event, delivered six times at once', async ({ stand }) => {
    const { app, stripe, user, ledger, balance } = await stand('repaired')
    const ann = await user()
    const event = eventOf('checkout.session.completed', stripe.give(packSession(ann)))
    const answers = await Promise.all(Array.from({ length: 6 }, () => deliver(app, event)))
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(200))
    expect(answers.filter(({ body }) => String(body.did).startsWith('granted'))).toHaveLength(1)
    expect(await ledger(ann)).toHaveLength(1)
    expect(await balance(ann)).toBe(5_000_000)
  })

  // Kills a key of event ids, or of object and type: one payment is told by three types of event, at the same time.
  test('the three events of one paid invoice, overlapping', async ({ stand }) => {
    const { app, stripe, user, ledger } = await stand('repaired')
    const ann = await user()
    const invoice = stripe.give(invoiceOf(stripe.give(subscriptionOf(ann, '28day'))))
    const payment = { id: newId('inpay'), object: 'invoice_payment', invoice: invoice.id, status: 'paid' }
    const answers = await Promise.all([
      deliver(app, eventOf('invoice.paid', invoice)),
      deliver(app, eventOf('invoice.payment_succeeded', invoice)),
      deliver(app, eventOf('invoice_payment.paid', payment)),
    ])
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(await ledger(ann)).toEqual([`subscription_grant 375000 invoice:${invoice.id}`])
  })

  // Kills an app that needs one certain event: any of them may be the one that was lost.
  test.for(['invoice.paid', 'invoice.payment_succeeded', 'invoice_payment.paid'])(
    'a paid invoice, when all that arrives is %s',
    async (type, { stand }) => {
      const { app, stripe, user, ledger } = await stand('repaired')
      const ann = await user()
      const invoice = stripe.give(invoiceOf(stripe.give(subscriptionOf(ann, '28day'))))
      const payment = { id: newId('inpay'), object: 'invoice_payment', invoice: invoice.id, status: 'paid' }
      await deliver(app, eventOf(type, type === 'invoice_payment.paid' ? payment : invoice))
      expect(await ledger(ann)).toEqual([`subscription_grant 375000 invoice:${invoice.id}`])
    },
  )

  test.for(['checkout.session.completed', 'customer.subscription.created'])(
    'a trial, when all that arrives is %s',
    async (type, { stand }) => {
      const { app, stripe, user, ledger } = await stand('repaired')
      const ann = await user()
      const subscription = stripe.give(trialOf(ann, '28day'))
      const session = stripe.give(subscriptionSession(ann, subscription))
      await deliver(app, eventOf(type, type === 'checkout.session.completed' ? session : subscription))
      expect(await ledger(ann)).toEqual([`trial_grant 500000 trial:${subscription.id}`])
    },
  )

  // Kills an app that needs the user's id on every object: subscriptions made before it was put there have none.
  test('a renewal whose user is named by the checkout session alone', async ({ stand }) => {
    const { app, stripe, user, ledger } = await stand('repaired')
    const ann = await user()
    const subscription = stripe.give(subscriptionOf(ann, '28day', { metadata: {} }))
    const session = stripe.give(subscriptionSession(ann, subscription))
    const invoice = stripe.give(invoiceOf(subscription))
    // Until then nobody can tell whose it is, and Stripe sends it again.
    expect(await deliver(app, eventOf('invoice.paid', invoice))).toMatchObject({ status: 500 })
    expect(await deliver(app, eventOf('checkout.session.completed', session))).toMatchObject({ status: 200 })
    expect(await deliver(app, eventOf('invoice.paid', invoice))).toMatchObject({ status: 200 })
    expect(await ledger(ann)).toEqual([`subscription_grant 375000 invoice:${invoice.id}`])
  })

  // Kills a trial credited at checkout, at the subscription's start and at its $0 invoice.
  test('the events around the start of a trial', async ({ stand }) => {
    const { app, stripe, user, ledger } = await stand('repaired')
    const ann = await user()
    const subscription = stripe.give(trialOf(ann, 'annual'))
    const session = stripe.give(subscriptionSession(ann, subscription))
    const free = stripe.give(invoiceOf(subscription, { billing_reason: 'subscription_create', amount: 0 }))
    for (const event of [
      eventOf('checkout.session.completed', session),
      eventOf('invoice.paid', free),
      eventOf('customer.subscription.created', subscription),
      eventOf('customer.subscription.updated', subscription),
    ]) {
      expect(await deliver(app, event)).toMatchObject({ status: 200 })
    }
    expect(await ledger(ann)).toEqual([`trial_grant 1000000 trial:${subscription.id}`])
  })

  // Kills a trial granted on any later event: the renewal of a customer of years would bring the trial's tokens again.
  test('a trial is granted by its start, not by what happens to the subscription later', async ({
    stand,
  }) => {
    const { app, stripe, user, ledger } = await stand('repaired')
    const ann = await user()
    const subscription = stripe.give({ ...trialOf(ann, '28day'), status: 'active' })
    await deliver(app, eventOf('customer.subscription.updated', subscription))
    expect(await ledger(ann)).toEqual([])
  })
})

describe('only settled facts grant', () => {
  // Kills a handler that does not look at payment_status, and one that only knows checkout.session.completed.
  test('a delayed payment grants when it has succeeded', async ({ stand }) => {
    const { app, stripe, user, ledger } = await stand('repaired')
    const ann = await user()
    const unpaid = stripe.give(packSession(ann, { payment_status: 'unpaid' }))
    expect(await deliver(app, eventOf('checkout.session.completed', unpaid))).toMatchObject({
      status: 200,
      body: { did: 'not paid yet' },
    })
    expect(await ledger(ann)).toEqual([])

    const paid = stripe.give({ ...unpaid, payment_status: 'paid' })
    await deliver(app, eventOf('checkout.session.async_payment_succeeded', paid))
    expect(await ledger(ann)).toEqual([`token_pack_purchase 5000000 checkout_session:${paid.id}`])
  })

  test('a delayed payment that failed grants nothing', async ({ stand }) => {
    const { app, stripe, user, everything } = await stand('repaired')
    const unpaid = stripe.give(packSession(await user(), { payment_status: 'unpaid' }))
    const before = await everything()
    await deliver(app, eventOf('checkout.session.completed', unpaid))
    await deliver(app, eventOf('checkout.session.async_payment_failed', unpaid))
    expect(await everything()).toEqual(before)
  })

  test('a coupon of 100 % grants: nothing was to be paid', async ({ stand }) => {
    const { app, stripe, user, balance } = await stand('repaired')
    const ann = await user()
    const free = { payment_status: 'no_payment_required', payment_intent: null, amount_total: 0 }
    await deliver(app, eventOf('checkout.session.completed', stripe.give(packSession(ann, free))))
    expect(await balance(ann)).toBe(5_000_000)
  })

  // Kills "any paid invoice is a renewal", and with it free tokens for switching plans to and fro.
  test.for<[string, (subscription: StripeObject) => StripeObject]>([
    ['an upgrade', (subscription) => invoiceOf(subscription, { billing_reason: 'subscription_update' })],
    ['a manual invoice', (subscription) => invoiceOf(subscription, { billing_reason: 'manual' })],
    ['a period that costs nothing', (subscription) => invoiceOf(subscription, { amount: 0 })],
    ['an open invoice', (subscription) => invoiceOf(subscription, { status: 'open' })],
    ['a purchase without subscription', (subscription) => invoiceOf(subscription, { parent: null })],
    [
      'a renewal that bills prorations only',
      (subscription) =>
        invoiceOf(subscription, {
          lines: { data: [line('price_vision_pro_28day', 9_900, true)], has_more: false },
        }),
    ],
  ])('no plan’s period: %s grants nothing', async ([, make], { stand }) => {
    const { app, stripe, user, everything } = await stand('repaired')
    const invoice = stripe.give(make(stripe.give(subscriptionOf(await user(), '28day'))))
    const before = await everything()
    expect(await deliver(app, eventOf('invoice.paid', invoice))).toMatchObject({ status: 200 })
    expect(await everything()).toEqual(before)
  })

  test('test mode grants nothing on a live endpoint, and Stripe need not send it again', async ({
    stand,
  }) => {
    const { app, stripe, user, everything } = await stand('repaired')
    const session = stripe.give(packSession(await user()))
    const before = await everything()
    const answer = await deliver(app, eventOf('checkout.session.completed', session, { livemode: false }))
    expect(answer).toEqual({ status: 200, body: { received: true, did: 'nothing: livemode is false' } })
    expect(await everything()).toEqual(before)
  })

  test('a refund takes nothing back', async ({ stand }) => {
    const { app, stripe, user, everything } = await stand('repaired')
    await deliver(app, eventOf('checkout.session.completed', stripe.give(packSession(await user()))))
    const before = await everything()
    const charge = {
      id: newId('ch'),
      object: 'charge',
      amount: 19_900,
      amount_refunded: 19_900,
      refunded: true,
    }
    const refund = {
      id: newId('re'),
      object: 'refund',
      amount: 19_900,
      charge: charge.id,
      status: 'succeeded',
    }
    for (const [type, object] of [
      ['refund.created', refund],
      ['charge.refunded', charge],
      ['refund.updated', refund],
    ] as const) {
      expect(await deliver(app, eventOf(type, object))).toMatchObject({ status: 200 })
    }
    expect(await everything()).toEqual(before)
  })
})

describe('what is granted is what was sold', () => {
  // Kills a handler that reads tokens_amount and forgets that there were two.
  test('two packs in one session are twice the tokens', async ({ stand }) => {
    const { app, stripe, user, balance } = await stand('repaired')
    const ann = await user()
    await deliver(app, eventOf('checkout.session.completed', stripe.give(packSession(ann, { quantity: 2 }))))
    expect(await balance(ann)).toBe(10_000_000)
  })

  // Kills a handler that reads the first page of a list only.
  test('lines beyond the first page count', async ({ stand }) => {
    const { app, stripe, user, balance, ledger } = await stand('repaired')
    const [ann, ben] = [await user(), await user()]
    const lines = Array.from({ length: 12 }, () => sessionLine('price_pack_mega'))
    const session = packSession(ann, {
      line_items: { object: 'list', data: lines.slice(0, 10), has_more: true },
      all_line_items: lines,
    })
    await deliver(app, eventOf('checkout.session.completed', stripe.give(session)))
    expect(await balance(ann)).toBe(60_000_000)

    const prorations = Array.from({ length: 10 }, () => line('price_vision_pro_28day', -500, true))
    const invoice = invoiceOf(stripe.give(subscriptionOf(ben, '28day')), {
      lines: { object: 'list', data: prorations, has_more: true },
      all_lines: [...prorations, line('price_vision_pro_28day', 9_900)],
    })
    await deliver(app, eventOf('invoice.paid', stripe.give(invoice)))
    expect(await ledger(ben)).toEqual([`subscription_grant 375000 invoice:${invoice.id}`])
  })

  test('a year replaces the balance, and says what it took', async ({ stand }) => {
    const { app, stripe, user, ledger, balance } = await stand('repaired')
    const ann = await user({ draft: true })
    await deliver(app, eventOf('checkout.session.completed', stripe.give(packSession(ann))))
    const invoice = stripe.give(invoiceOf(stripe.give(subscriptionOf(ann, 'annual')), { amount: 99_900 }))
    await deliver(app, eventOf('invoice.paid', invoice))
    expect((await ledger(ann)).slice(1)).toEqual([
      `admin_deduct 5000000 invoice:${invoice.id}:reset`,
      `subscription_grant 5000000 invoice:${invoice.id}`,
    ])
    expect(await balance(ann)).toBe(5_000_000)
  })

  // Kills an app that needs to know every price on an invoice.
  test('a one-off item beside the plan’s line does not matter', async ({ stand }) => {
    const { app, stripe, user, ledger } = await stand('repaired')
    const ann = await user()
    const lines = [
      line('price_of_a_book', 1_900, false, 'invoice_item_details'),
      line('price_vision_pro_28day', 9_900),
    ]
    const subscription = stripe.give(subscriptionOf(ann, '28day'))
    const invoice = stripe.give(invoiceOf(subscription, { lines: { data: lines, has_more: false } }))
    await deliver(app, eventOf('invoice.paid', invoice))
    expect(await ledger(ann)).toEqual([`subscription_grant 375000 invoice:${invoice.id}`])
  })

  // Kills an app that reads a trial's plan from the subscription: an upgrade may have overtaken the trial's events.
  test('a trial counts as what it was when it started', async ({ stand }) => {
    const { app, stripe, user, ledger } = await stand('repaired')
    const [ann, ben] = [await user(), await user()]
    const [anns, bens] = [trialOf(ann, '28day'), trialOf(ben, '28day')]
    const session = stripe.give(subscriptionSession(ann, anns))
    for (const [owner, { id }] of [
      [ann, anns],
      [ben, bens],
    ] as const) {
      stripe.give(subscriptionOf(owner, 'annual', { ...TRIAL, id }))
    }
    await deliver(app, eventOf('checkout.session.completed', session))
    await deliver(app, eventOf('customer.subscription.created', bens))
    expect(await ledger(ann)).toEqual([`trial_grant 500000 trial:${anns.id}`])
    expect(await ledger(ben)).toEqual([`trial_grant 500000 trial:${bens.id}`])
  })

  // Kills an app that reads the plan from the subscription: it may have changed since the invoice was paid.
  test('a paid period counts as what it was, whatever the subscription has become', async ({ stand }) => {
    const { app, stripe, user, ledger } = await stand('repaired')
    const ann = await user()
    const subscription = subscriptionOf(ann, '28day')
    const invoice = stripe.give(invoiceOf(subscription))
    stripe.give(subscriptionOf(ann, '28day', { id: subscription.id, price: 'price_new', status: 'canceled' }))
    await deliver(app, eventOf('invoice.paid', invoice))
    expect(await ledger(ann)).toEqual([`subscription_grant 375000 invoice:${invoice.id}`])
  })

  // Kills an app that understands the API version of its day only.
  test('objects in acacia’s shape are understood', async ({ stand }) => {
    const { app, stripe, user, ledger } = await stand('repaired')
    const ann = await user()
    const { items: _, ...rest } = subscriptionOf(ann, '28day')
    const subscription = stripe.give({
      ...rest,
      current_period_start: 1_790_000_000,
      current_period_end: 1_792_419_200,
      items: { data: [{ price: { id: 'price_vision_pro_28day' } }] },
    })
    const invoice = stripe.give({
      id: newId('in'),
      object: 'invoice',
      status: 'paid',
      billing_reason: 'subscription_create',
      subscription: subscription.id,
      subscription_details: { metadata: {} },
      payment_intent: 'pi_1',
      lines: {
        data: [
          { amount: 9_900, type: 'subscription', proration: false, price: { id: 'price_vision_pro_28day' } },
        ],
        has_more: false,
      },
    })
    await deliver(app, eventOf('invoice.paid', invoice, { api_version: '2025-02-24.acacia' }))
    expect(await ledger(ann)).toEqual([`subscription_grant 375000 invoice:${invoice.id}`])
  })
})

describe('what can’t be settled is refused with 5xx, and nothing is written', () => {
  // Kills 200 for an unknown price (the customer pays and gets nothing, and nobody hears of it).
  const unknownUser = '00000000-0000-4000-8000-000000000000'
  test.for<[string, (user: string) => { type: string; objects: StripeObject[] }, string]>([
    ['a pack that we don’t know', (user) => pack(packSession(user, { pack: 'giga' })), 'unknown pack "giga"'],
    [
      'a price that is not the pack’s',
      (user) => pack(packSession(user, { price: 'price_pack_power' })),
      'price price_pack_power is not the price of pack "mega"',
    ],
    [
      'tokens that are no amount',
      (user) => pack(packSession(user, { metadata: { tokens_amount: '-5' } })),
      'tokens_amount "-5" is no amount',
    ],
    [
      'more tokens than a row can hold',
      (user) => pack(packSession(user, { metadata: { tokens_amount: '3000000000' } })),
      '3000000000 tokens are more than a grant can hold',
    ],
    ['a pack without user', () => pack(packSession('')), 'the session’s metadata holds no user id'],
    ['a pack of an unknown user', () => pack(packSession(unknownUser)), 'has no profile'],
    [
      'a plan of an unknown price',
      (user) => renewal(subscriptionOf(user, '28day', { price: 'price_new' })),
      'no tier in membership_tiers has the price price_new',
    ],
    [
      'a trial of an unknown price',
      (user) => {
        const subscription = subscriptionOf(user, '28day', { ...TRIAL, price: 'price_new' })
        return { type: 'customer.subscription.created', objects: [subscription] }
      },
      'no tier in membership_tiers has the price price_new',
    ],
    [
      'a session without lines',
      (user) => pack(packSession(user, { line_items: { data: [], has_more: false } })),
      'Stripe lists no line items',
    ],
    [
      'a trial’s session without lines',
      (user) => {
        const subscription = trialOf(user, '28day')
        const session = subscriptionSession(user, subscription)
        const empty = { ...session, line_items: { data: [], has_more: false } }
        return { type: 'checkout.session.completed', objects: [empty, subscription] }
      },
      'Stripe lists nothing that was sold',
    ],
    [
      'two plans on one invoice',
      (user) => {
        const lines = [line('price_vision_pro_28day', 9_900), line('price_vision_pro_annual', 99_900)]
        const subscription = subscriptionOf(user, '28day')
        const invoice = invoiceOf(subscription, { lines: { data: lines, has_more: false } })
        return { type: 'invoice.paid', objects: [invoice, subscription] }
      },
      'two plans at once',
    ],
    [
      'a plan without user',
      () => renewal(subscriptionOf('', '28day', { metadata: {} })),
      'no user is named in',
    ],
    ['a plan of an unknown user', () => renewal(subscriptionOf(unknownUser, '28day')), 'unknown user'],
    [
      'an object that Stripe’s API does not know',
      (user) => ({ ...pack(packSession(user)), objects: [{ id: 'cs_lost', object: 'checkout.session' }] }),
      'internal error; see the log',
    ],
  ])('%s', async ([name, make, why], { stand }) => {
    const { app, stripe, user, everything } = await stand('repaired')
    const { type, objects } = make(await user())
    const [told] = objects as [StripeObject]
    if (!name.includes('does not know')) for (const object of objects) stripe.give(object)
    const before = await everything()
    const answer = await deliver(app, eventOf(type, told))
    expect(answer).toEqual({ status: 500, body: { error: expect.stringContaining(why) } })
    expect(await everything()).toEqual(before)
  })

  function pack(session: StripeObject) {
    return { type: 'checkout.session.completed', objects: [session] }
  }
  function renewal(subscription: StripeObject) {
    return { type: 'invoice.paid', objects: [invoiceOf(subscription), subscription] }
  }

  // Kills an app that believes whichever source it reads first.
  test('a subscription that belongs to another user', async ({ stand }) => {
    const { app, stripe, user, everything } = await stand('repaired')
    const [ann, ben] = [await user(), await user()]
    const subscription = stripe.give(subscriptionOf(ann, '28day'))
    await deliver(app, eventOf('customer.subscription.created', subscription))
    const moved = stripe.give({ ...subscription, metadata: { user_id: ben } })
    const before = await everything()
    const answer = await deliver(app, eventOf('invoice.paid', stripe.give(invoiceOf(moved))))
    expect(answer).toMatchObject({
      status: 500,
      body: { error: expect.stringContaining('name different users') },
    })
    expect(await everything()).toEqual(before)
  })

  // Kills an app that answers before, or without, its commit; and a handler that swallows what the database says.
  test('a database that fails: the delivery is repeated later, and then granted', async ({ stand }) => {
    const { app, stripe, user, db, ledger } = await stand('repaired')
    const ann = await user()
    const event = eventOf('checkout.session.completed', stripe.give(packSession(ann)))
    await db.query(`
      create function public.out_of_order() returns trigger language plpgsql
        as $$ begin raise exception 'disk on fire'; end $$;
      create constraint trigger out_of_order after insert on public.token_usage deferrable initially deferred
        for each row execute function public.out_of_order()`)
    expect(await deliver(app, event)).toEqual({ status: 500, body: { error: 'internal error; see the log' } })
    expect(app.log.at(-1)?.text).toContain('disk on fire')
    expect(await ledger(ann)).toEqual([])
    await db.query('drop trigger out_of_order on public.token_usage')
    expect(await deliver(app, event)).toMatchObject({ status: 200 })
    expect(await ledger(ann)).toHaveLength(1)
  })

  // Kills an app that needs more rights than the ledger gives: nothing but what service_role may.
  test('no more rights than service_role has are needed', async ({ stand, onTestFinished }) => {
    const role = `app_${randomUUID()}`
    const { app, stripe, user, db, ledger } = await stand('repaired', {}, async (admin, url) => {
      await admin.query(`create role "${role}" login noinherit password 'x' in role service_role`)
      return Object.assign(new URL(url), { username: role, password: 'x' }).href
    })
    onTestFinished(async () => {
      await db.query(`drop role "${role}"`)
    })
    const ann = await user()
    const subscription = stripe.give(trialOf(ann, '28day'))
    const events = [
      eventOf('customer.subscription.created', subscription),
      eventOf('invoice.paid', stripe.give(invoiceOf(subscription))),
      eventOf('checkout.session.completed', stripe.give(packSession(ann))),
    ]
    for (const event of events) expect(await deliver(app, event)).toMatchObject({ status: 200 })
    expect(await ledger(ann)).toHaveLength(3)
  })

  // Kills an app whose process dies with a connection: the error event of a client that a request holds.
  test('a connection that is cut in the middle of a delivery', async ({ stand }) => {
    const { app, stripe, user, db, ledger } = await stand('repaired')
    const ann = await user()
    const event = eventOf('checkout.session.completed', stripe.give(packSession(ann)))
    await db.query(`
      create function public.cut() returns trigger language plpgsql security definer
        as $$ begin perform pg_terminate_backend(pg_backend_pid()); return new; end $$;
      create trigger cut before insert on public.token_usage for each row execute function public.cut()`)
    expect(await deliver(app, event)).toMatchObject({ status: 500 })
    await db.query('drop trigger cut on public.token_usage')
    expect(await deliver(app, event)).toMatchObject({ status: 200 })
    expect(await ledger(ann)).toHaveLength(1)
  })
})
