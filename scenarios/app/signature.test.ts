import { describe, expect } from 'vitest'
import { deliver, eventOf, packSession, post, SECRET, sign } from './hand-made-stripe.ts'
import { test } from './test.ts'

const ROLLED_OUT = 'whsec_being_rolled_out'

describe('the webhook takes what Stripe has signed for it, and nothing else', () => {
  test('a good delivery is granted', async ({ stand }) => {
    const { app, stripe, user, ledger, balance } = await stand('repaired')
    const ann = await user()
    const session = stripe.give(packSession(ann))
    expect(await deliver(app, eventOf('checkout.session.completed', session))).toEqual({
      status: 200,
      body: { received: true, did: `granted checkout_session:${session.id}` },
    })
    expect(await ledger(ann)).toEqual([`token_pack_purchase 5000000 checkout_session:${session.id}`])
    expect(await balance(ann)).toBe(5_000_000)
  })

  // Kills a check against the first secret only: for a day, deliveries carry either signature, or both.
  test('while a secret is rolled, the old and the new one are good', async ({ stand }) => {
    const { app, stripe, user, balance } = await stand('repaired', {
      STRIPE_WEBHOOK_SECRET: `${ROLLED_OUT}, ${SECRET}`,
    })
    const ann = await user()
    for (const secrets of [[SECRET], [ROLLED_OUT], ['whsec_unknown', SECRET]]) {
      const body = JSON.stringify(eventOf('checkout.session.completed', stripe.give(packSession(ann))))
      const signatures = secrets.map((secret) => sign(body, secret))
      const header = [signatures[0], ...signatures.slice(1).map((each) => each.replace(/^t=\d+,/, ''))].join(
        ',',
      )
      const { status } = await post(`${app.url}/api/stripe/webhook`, body, { 'stripe-signature': header })
      expect(status).toBe(200)
    }
    expect(await balance(ann)).toBe(15_000_000)
  })

  const thin = { id: 'evt_1', object: 'v2.core.event', type: 'v1.checkout.session.completed', livemode: true }
  const noSignature = 'No signatures found matching the expected signature for payload'
  test.for<[string, { body?: (good: string) => string; header?: (body: string) => string }, string]>([
    ['unsigned', { header: () => '' }, 'no stripe-signature header'],
    ['signed with another secret', { header: (body) => sign(body, 'whsec_other') }, noSignature],
    // Kills a tolerance that is off: a recorded delivery could be replayed for ever.
    [
      'signed 301 seconds ago',
      { header: (body) => sign(body, SECRET, 301) },
      'Timestamp outside the tolerance zone',
    ],
    // Kills a check of the parsed and reprinted body.
    ['altered by a blank', { header: (body) => sign(body.replace('{', '{ ')) }, noSignature],
    [
      'signed with scheme v0 only',
      { header: (body) => sign(body).replace('v1=', 'v0=') },
      'No signatures found',
    ],
    ['signed garbage', { body: () => 'surprise' }, 'signed, but not an event'],
    ['empty', { body: () => '' }, 'No webhook payload was provided'],
    // Kills 200 for what this endpoint can't read: the event would be lost.
    ['a thin (v2) event', { body: () => JSON.stringify(thin) }, 'thin event notification'],
    ['signed JSON that is no event', { body: () => '[]' }, 'not a snapshot event'],
    ['an event without livemode', { body: (good) => good.replace('"livemode":true,', '') }, 'livemode'],
  ])('%s: 4xx, and nothing is written', async ([, change, why], { stand }) => {
    const { app, stripe, user, everything } = await stand('repaired')
    const session = stripe.give(packSession(await user()))
    const before = await everything()

    const good = JSON.stringify(eventOf('checkout.session.completed', session))
    const sent = change.body?.(good) ?? good
    const signature = (change.header ?? sign)(sent)
    const answer = await post(
      `${app.url}/api/stripe/webhook`,
      sent,
      signature === '' ? {} : { 'stripe-signature': signature },
    )
    expect(answer).toEqual({ status: 400, body: { error: expect.stringContaining(why) } })
    expect(await everything()).toEqual(before)
  })
})
