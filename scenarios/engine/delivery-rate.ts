import { Client } from 'pg'
import type { AppRevision } from '../../fixtures/app/app.ts'
import { people } from '../../fixtures/people.ts'
import { deliver } from '../../fixtures/stripe/sign.ts'
import { StripeSimulator } from '../../fixtures/stripe/simulator.ts'
import { startStandIn } from '../../fixtures/stripe/stand-in.ts'
import { startReferenceApp } from './app-under-test.ts'
import { usersIn } from './house.ts'

const BUYERS = 20

/**
 * How many purchases of a pack an app settles a second: signed HTTP, `atOnce` of them under way, each counted when the
 * app has answered 2xx. Throws when one is answered otherwise.
 */
export async function deliveriesPerSecond(
  databaseUrl: string,
  revision: AppRevision,
  { deliveries, atOnce }: { readonly deliveries: number; readonly atOnce: number },
): Promise<number> {
  const stripe = new StripeSimulator({ seed: 1, start: new Date('2024-01-08T09:00:00Z') })
  const buyers = Object.values(
    people(
      1,
      Array.from({ length: BUYERS }, (_, i) => `buyer${i}`),
    ),
  )
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  const addUsers = await usersIn(client)
  await addUsers(buyers)
  await client.end()
  const standIn = await startStandIn({ worlds: () => [stripe.world] })
  const app = await startReferenceApp(revision, { databaseUrl, stripeApiUrl: standIn.url })
  try {
    const waiting = Array.from({ length: deliveries }, (_, i) => {
      const person = buyers[i % BUYERS]
      if (person === undefined) throw new Error('nobody buys')
      const events = stripe.buyPack({ person, pack: 'power', pay: 'card' }).deliveries
      const settled = events.find(({ event }) => event.type === 'checkout.session.completed')
      if (settled === undefined) throw new Error('the purchase was not settled')
      return settled
    })
    const began = performance.now()
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
          const { status, body } = await deliver(`${app.url}/api/stripe/webhook`, next, app.webhookSecret)
          if (status >= 300) throw new Error(`${next.event.id} was answered ${status}: ${body}`)
        }
      }),
    )
    return deliveries / ((performance.now() - began) / 1_000)
  } finally {
    await app.close()
    await standIn.close()
  }
}
