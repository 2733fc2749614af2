import type pg from 'pg'
import { describe, expect } from 'vitest'
import {
  deliver,
  eventOf,
  invoiceOf,
  type StripeObject,
  subscriptionOf,
  subscriptionSession,
} from './hand-made-stripe.ts'
import { test } from './test.ts'

async function stored(db: pg.Client): Promise<string[]> {
  const { rows } = await db.query(
    `select concat_ws(' ', stripe_subscription_id, status, stripe_price_id) as line
     from public.customer_subscriptions order by created_at, id`,
  )
  return rows.map(({ line }) => line)
}

const updated = (subscription: StripeObject) => eventOf('customer.subscription.updated', subscription)

describe('a subscription is stored as Stripe has it now', () => {
  // Kills an app that stores the event's snapshot: a late "active" would bring a cancelled subscription back.
  test('whatever the order in which its events arrive', async ({ stand }) => {
    const { app, stripe, user, db } = await stand('repaired')
    const ann = await user()
    const active = stripe.give(subscriptionOf(ann, '28day'))
    const canceled = stripe.give({ ...active, status: 'canceled', canceled_at: 1_790_000_100 })
    await deliver(app, eventOf('customer.subscription.deleted', canceled))
    await deliver(app, updated(active))
    await deliver(app, eventOf('customer.subscription.created', active))
    await deliver(app, eventOf('checkout.session.completed', stripe.give(subscriptionSession(ann, active))))
    expect(await stored(db)).toEqual([`${active.id} canceled price_vision_pro_28day`])
  })

  // Kills an app that writes what it retrieved although the row has been written since.
  test('also when two deliveries overlap, and the older answer arrives last', async ({ stand }) => {
    const { app, stripe, user, db } = await stand('repaired')
    const active = stripe.give(subscriptionOf(await user(), '28day'))
    await deliver(app, eventOf('customer.subscription.created', active))

    stripe.beforeAnswer = async () => {
      stripe.beforeAnswer = async () => {}
      const canceled = stripe.give({ ...active, status: 'canceled', canceled_at: 1_790_000_100 })
      await deliver(app, eventOf('customer.subscription.deleted', canceled))
    }
    expect(await deliver(app, updated(active))).toMatchObject({ status: 200 })
    expect(await stored(db)).toEqual([`${active.id} canceled price_vision_pro_28day`])
  })

  // Kills an app that refuses every event of a subscription whose price it has not heard of, its end included.
  test('also when no tier has its price: nothing is owed for the event of a change', async ({ stand }) => {
    const { app, stripe, user, db } = await stand('repaired')
    const ann = await user()
    const subscription = stripe.give(subscriptionOf(ann, '28day'))
    await deliver(app, eventOf('customer.subscription.created', subscription))
    const moved = stripe.give(subscriptionOf(ann, '28day', { id: subscription.id, price: 'price_new' }))
    expect(await deliver(app, updated(moved))).toMatchObject({ status: 200 })
    expect(await stored(db)).toEqual([`${subscription.id} active price_new`])
  })

  test('period, customer and tier with it', async ({ stand }) => {
    const { app, stripe, user, db } = await stand('repaired')
    const ann = await user()
    const subscription = stripe.give(subscriptionOf(ann, 'annual'))
    await deliver(app, eventOf('customer.subscription.created', subscription))
    const { rows } = await db.query(
      `select s.user_id, s.stripe_customer_id, t.tier_type::text, s.current_period_start, s.cancel_at_period_end
       from public.customer_subscriptions s join public.membership_tiers t on t.id = s.membership_tier_id`,
    )
    expect(rows).toEqual([
      {
        user_id: ann,
        stripe_customer_id: 'cus_1',
        tier_type: 'vision_pro_annual',
        current_period_start: new Date(1_790_000_000_000),
        cancel_at_period_end: false,
      },
    ])
  })
})

describe('our table’s rule of one live subscription a user never keeps tokens from a customer', () => {
  // Kills an upsert that fails with 23505 for ever, since nobody told us that the old one has ended.
  test('another row that Stripe has long ended makes room', async ({ stand }) => {
    const { app, stripe, user, db, ledger } = await stand('repaired')
    const ann = await user()
    const old = stripe.give(subscriptionOf(ann, '28day'))
    await deliver(app, eventOf('customer.subscription.created', old))
    stripe.give({ ...old, status: 'canceled', canceled_at: 1_790_000_100 })

    const next = stripe.give(subscriptionOf(ann, 'annual'))
    const invoice = stripe.give(invoiceOf(next, { billing_reason: 'subscription_create' }))
    expect(await deliver(app, eventOf('invoice.paid', invoice))).toMatchObject({ status: 200 })
    expect(await stored(db)).toEqual([
      `${old.id} canceled price_vision_pro_28day`,
      `${next.id} active price_vision_pro_annual`,
    ])
    expect(await ledger(ann)).toEqual([`subscription_grant 5000000 invoice:${invoice.id}`])
  })

  test('another that is live: the grant is made, and names the subscription all the same', async ({
    stand,
  }) => {
    const { app, stripe, user, db, ledger } = await stand('repaired')
    const ann = await user()
    const first = stripe.give(subscriptionOf(ann, '28day'))
    await deliver(app, eventOf('customer.subscription.created', first))
    const second = stripe.give(subscriptionOf(ann, '28day'))
    const invoice = stripe.give(invoiceOf(second))
    for (let sent = 1; sent <= 2; sent++) {
      expect(await deliver(app, eventOf('invoice.paid', invoice))).toMatchObject({ status: 200 })
    }
    expect(await stored(db)).toEqual([`${first.id} active price_vision_pro_28day`])
    expect(await ledger(ann)).toEqual([`subscription_grant 375000 invoice:${invoice.id}`])
    const { rows } = await db.query(
      "select metadata ->> 'stripe_subscription_id' as id from public.token_usage",
    )
    expect(rows).toEqual([{ id: second.id }])
    expect(app.log.at(-1)?.text).toBe(`${second.id} is not stored: ${first.id} of the same user is live too`)
  })

  // Kills a refresh that insists: a row left over from test mode is unknown to the live API.
  test('another row that Stripe does not know', async ({ stand }) => {
    const { app, stripe, user, db, ledger } = await stand('repaired')
    const ann = await user()
    await db.query(
      `insert into public.customer_subscriptions (user_id, stripe_subscription_id, status)
       values ($1, 'sub_of_test_mode', 'active')`,
      [ann],
    )
    const invoice = stripe.give(invoiceOf(stripe.give(subscriptionOf(ann, '28day'))))
    expect(await deliver(app, eventOf('invoice.paid', invoice))).toMatchObject({ status: 200 })
    expect(await ledger(ann)).toEqual([`subscription_grant 375000 invoice:${invoice.id}`])
  })

  // Kills two first deliveries that both find no row and both insert one.
  test('two first deliveries at once', async ({ stand }) => {
    const { app, stripe, user, db, ledger } = await stand('repaired')
    const ann = await user()
    const subscription = stripe.give(subscriptionOf(ann, '28day'))
    const invoice = stripe.give(invoiceOf(subscription, { billing_reason: 'subscription_create' }))
    const answers = await Promise.all([
      deliver(
        app,
        eventOf('checkout.session.completed', stripe.give(subscriptionSession(ann, subscription))),
      ),
      deliver(app, eventOf('customer.subscription.created', subscription)),
      deliver(app, eventOf('invoice.paid', invoice)),
      deliver(app, updated(subscription)),
    ])
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(await stored(db)).toEqual([`${subscription.id} active price_vision_pro_28day`])
    expect(await ledger(ann)).toEqual([`subscription_grant 375000 invoice:${invoice.id}`])
  })
})
