import { expect } from 'vitest'
import { withDatabase } from '../../fixtures/postgres/connection.ts'
import { test } from '../support/test.ts'
import { IN_ORDER } from './plan.ts'
import { Play } from './play.ts'
import { complaintsAboutRecords } from './records.ts'
import { storiesNamed } from './stories.ts'

// A judge that compares nothing, or only what some row happens to hold, is content with each of these.
test('what is not kept as Stripe has it is named: a state, a payment, a row of an older table, a row', async ({
  database,
}) => {
  const { url } = await database('unified')
  const play = await Play.open({ databaseUrl: url })
  try {
    const [story] = storiesNamed(['annual-start'])
    if (story === undefined) throw new Error('no story')
    const app = await play.startApp('repaired')
    const { cast } = await play.perform(story, app, { plan: IN_ORDER }).finally(() => app.close())
    const { world } = cast.stripe
    const [{ id: subscription } = { id: '' }] = world.all('subscription')
    const [invoice] = world.all('invoice')

    await withDatabase(url, async (client) => {
      const complaints = () => complaintsAboutRecords(client, world, new Set())
      expect(await complaints()).toEqual([])

      await client.query(
        "update public.customer_subscriptions set status = 'past_due', current_period_end = '2024-02-01T00:00:00Z'",
      )
      await client.query("update public.token_usage set metadata = metadata - 'stripe_payment_intent'")
      await client.query('delete from public.token_transactions')
      expect(await complaints()).toEqual([
        `customer_subscriptions of ${subscription}: status should be active, but is past_due`,
        `customer_subscriptions of ${subscription}: current_period_end should be 2025-01-08T10:01:00.000Z, but is 2024-02-01T00:00:00.000Z`,
        `the grant invoice:${invoice?.id}: stripe_payment_intent should be ${invoice?.paymentIntent}, but is nothing`,
        `the grant invoice:${invoice?.id} should have 1 of its own in token_transactions, but has 0`,
      ])

      await client.query('delete from public.customer_subscriptions')
      expect((await complaints())[0]).toBe(`${subscription} has no row in customer_subscriptions`)
      // What was so before is another app's to answer for.
      const before = new Set([...world.all('subscription'), ...world.all('invoice')])
      expect(await complaintsAboutRecords(client, world, before)).toEqual([])
    })
  } finally {
    await play.close()
  }
})
