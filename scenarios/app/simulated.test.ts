import pg from 'pg'
import { describe, expect } from 'vitest'
import { entitlements, parseEvidence } from '../../audits/evidence.ts'
import { startApp } from '../../fixtures/app/app.ts'
import { type Person, people } from '../../fixtures/people.ts'
import type { Delivery } from '../../fixtures/stripe/event.ts'
import { deliver } from '../../fixtures/stripe/sign.ts'
import { StripeSimulator } from '../../fixtures/stripe/simulator.ts'
import { startStandIn } from '../../fixtures/stripe/stand-in.ts'
import { API_VERSIONS } from '../../fixtures/stripe/versions.ts'
import { test } from '../support/test.ts'
import { SECRET } from './hand-made-stripe.ts'

const CROWD = ['ann', 'ben', 'cleo', 'dan', 'eve'] as const

/** Everything that customers do, in one account. */
function live(stripe: StripeSimulator, { ann, ben, cleo, dan, eve }: Record<(typeof CROWD)[number], Person>) {
  stripe.buyPack({ person: ann, pack: 'mega', pay: 'card', quantity: 2 })
  stripe.buyPack({ person: ann, pack: 'power', pay: 'coupon' })
  stripe.buyPack({ person: ann, pack: 'power', pay: 'card', invoiceCreation: true })
  stripe.settleDelayed(stripe.buyPack({ person: ann, pack: 'ultra', pay: 'delayed' }).sessionId)
  stripe.failDelayed(stripe.buyPack({ person: ann, pack: 'power', pay: 'delayed' }).sessionId)
  stripe.testModePurchase({ person: ann, pack: 'mega' })
  stripe.manualInvoice(ann, 'annual')

  const cycles = stripe.start28Day({ person: ben }).subscriptionId
  stripe.renew(cycles)
  stripe.failRenewal(cycles)
  stripe.recoverRenewal(cycles)
  stripe.upgradeProration(cycles)
  stripe.renew(cycles)

  const years = stripe.startAnnual({ person: cleo, coupon: true }).subscriptionId
  stripe.renew(years)
  stripe.cancel(years, 'period_end')
  stripe.endCancelled(years)
  stripe.startAnnual({ person: cleo })

  const trial = stripe.startTrial({ person: dan, plan: 'annual' }).subscriptionId
  stripe.endTrial(trial)
  stripe.renew(trial)

  const given = stripe.startTrial({ person: eve, plan: '28day' }).subscriptionId
  stripe.cancel(given, 'now')
  const { sessionId } = stripe.buyPack({ person: eve, pack: 'mega', pay: 'card' })
  stripe.refund(sessionId, 19_900n)
}

const orders: Record<string, (deliveries: readonly Delivery[]) => readonly Delivery[]> = {
  'in order': (deliveries) => deliveries,
  backwards: (deliveries) => deliveries.toReversed(),
}

// Kills an app that is fit for hand-made objects only, for one API version, or for one order.
describe('what the repaired app grants is what Stripe’s objects owe', () => {
  test.for(API_VERSIONS.flatMap((version) => Object.keys(orders).map((order) => [version, order] as const)))(
    'events in the shape of %s, delivered %s',
    async ([version, order], { database, onTestFinished }) => {
      const crowd = people(7, CROWD, ['ann'])
      const stripe = new StripeSimulator({
        seed: 7,
        start: new Date('2026-01-05T10:00:00Z'),
        apiVersion: version,
      })
      live(stripe, crowd)
      const { url } = await database('unified')
      const db = new pg.Client(url)
      await db.connect()
      for (const person of Object.values(crowd)) await signUp(db, person)
      const api = await startStandIn({ worlds: () => [stripe.world] })
      const app = await startApp('repaired', {
        DATABASE_URL: url,
        SUPABASE_URL: 'http://127.0.0.1:1',
        SUPABASE_ANON_KEY: 'unused',
        SUPABASE_SERVICE_ROLE_KEY: 'unused',
        STRIPE_SECRET_KEY: 'sk_test_123',
        STRIPE_WEBHOOK_SECRET: SECRET,
        STRIPE_API_HOST: api.url,
        STRIPE_LIVEMODE: 'true',
      })
      onTestFinished(async () => {
        await app.close()
        await api.close()
        await db.end()
      })

      const refused: string[] = []
      for (const delivery of orders[order]?.(stripe.history()) ?? []) {
        const answer = await deliver(`${app.url}/api/stripe/webhook`, delivery, SECRET)
        if (answer.status !== 200) refused.push(`${delivery.event.type}: ${answer.body}`)
      }
      expect(refused).toEqual([])
      expect(api.invalidRequests).toEqual([])

      const { rows } = await db.query(
        `select concat_ws(' ', user_id, action_type, tokens_used, grant_key) as grant from public.token_usage
         where grant_key not like '%:reset'`,
      )
      expect(rows.map((row) => row.grant).toSorted()).toEqual(owed(stripe))
    },
  )
})

function owed(stripe: StripeSimulator): string[] {
  const file = {
    version: 1,
    livemode: true,
    covers: ['checkout_session', 'invoice', 'trial'].map((kind) => ({ kind, from: null, to: null })),
    tiers: {
      price_vision_pro_annual: 'vision_pro_annual',
      price_vision_pro_28day: 'vision_pro_28day',
      price_other: null,
    },
    ...stripe.objects(),
  }
  return entitlements(parseEvidence(JSON.stringify(file), 'the simulator’s objects'))
    .entitlements.map((it) => `${it.user_id} ${it.action_type} ${it.tokens} ${it.grant_key}`)
    .toSorted()
}

async function signUp(db: pg.Client, { userId, email, hasDraft }: Person): Promise<void> {
  await db.query('insert into auth.users (id, email) values ($1, $2)', [userId, email])
  for (const isDraft of hasDraft ? [false, true] : [false]) {
    await db.query(
      'insert into public.user_profiles (user_id, is_draft, is_active) values ($1, $2, not $2)',
      [userId, isDraft],
    )
  }
}
