import { Client } from 'pg'
import { describe, expect } from 'vitest'
import { type HttpServer, serveHttp } from '../../fixtures/http-server.ts'
import { migrate } from '../../fixtures/migrations/run.ts'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import { test as withDatabases } from '../support/test.ts'
import { type AppUnderTest, appAt } from './app-under-test.ts'
import { IN_ORDER, TWICE } from './plan.ts'
import { Play } from './play.ts'
import { storiesNamed } from './stories.ts'
import type { Story } from './story.ts'
import { renderTimeline } from './timeline.ts'
import { person, staysUndelivered, step, story } from './voices.ts'

const asFound = { red: [], redTwice: [] }
const [PACK] = storiesNamed(['pack-paid']) as [Story]

const test = withDatabases
  .extend('play', async ({ database }, { onCleanup }) => {
    const play = await Play.open({ databaseUrl: (await database('unified')).url })
    onCleanup(() => play.close())
    return play
  })
  .extend('repaired', async ({ play }, { onCleanup }) => {
    const app = await play.startApp('repaired')
    onCleanup(() => app.close())
    return app
  })
  /** An app of our own making: `answer` gets each request that is sent to it, and the app that it stands before. */
  .extend('appThat', async ({ repaired }, { onCleanup }) => {
    const servers: HttpServer[] = []
    onCleanup(async () => {
      for (const server of servers) await server.close()
    })
    return async (answer: (request: Request, passOn: () => Promise<Response>) => Promise<Response>) => {
      const server = await serveHttp('app', async (request) => {
        const { pathname } = new URL(request.url)
        const body = await request.text()
        const passOn = () =>
          fetch(`${repaired.url}${pathname}`, { method: 'POST', headers: request.headers, body })
        return answer(new Request(request.url, { method: 'POST', body }), passOn)
      })
      servers.push(server)
      return appAt(server.url, repaired.webhookSecret)
    }
  })

describe('an app that is wrong is told so', () => {
  // An engine that believes a 200 would pass an app which does nothing at all.
  test('answers 200 to everything and does nothing', async ({ play, appThat }) => {
    const app = await appThat(async () => new Response('ok'))
    const { complaints } = await play.perform(PACK, app, { plan: IN_ORDER })
    expect(complaints).toEqual([
      expect.stringMatching(/^step 1 \(ann buys .*\): missing: token_pack_purchase 5,000,000 of ann \(check/),
      'step 1 (ann buys a mega pack by card): ann should have 5,000,000, but has 0',
    ])
  })

  test('answers 500 to everything, though it does its work', async ({ play, appThat }) => {
    const app = await appThat(async (_, passOn) => {
      await passOn()
      return new Response('oh', { status: 500 })
    })
    const { complaints, cast } = await play.perform(PACK, app, { plan: IN_ORDER })
    expect(complaints).toHaveLength(6)
    expect(complaints[0]).toMatch(/: customer.created evt_1\w+ was answered 500: oh$|was answered 500: oh$/)
    expect(cast.undelivered.deliveries).toHaveLength(6)
  })

  // Stripe does not follow it, whatever is there.
  test('redirects', async ({ play, appThat }) => {
    const app = await appThat(async () => Response.redirect('http://127.0.0.1/login', 307))
    const { complaints } = await play.perform(PACK, app, { plan: IN_ORDER })
    expect(complaints[0]).toMatch(
      /was answered 307: redirects to http:\/\/127.0.0.1\/login, and Stripe follows no redirect$/,
    )
  })

  // It is right until its pool is empty, which no story lasts for. Would catch: an engine that sees no connections, or
  // that takes those of a pool for a leak (all other tests).
  test('leaks its connections', async ({ play, appThat }) => {
    const leaked: Client[] = []
    const app = await appThat(async (_, passOn) => {
      const client = new Client(play.databaseUrl)
      leaked.push(client)
      await client.connect()
      return passOn()
    })
    const { complaints } = await play.perform(PACK, app, { plan: IN_ORDER })
    for (const client of leaked) await client.end()
    expect(complaints).toEqual([
      expect.stringMatching(
        /^\S+ evt_\w+: \d connections to Postgres are open, one more after each of 6 requests/,
      ),
    ])
  })

  // A story that expects a refusal must not be content with an app that takes everything.
  test('takes what the story says it refuses', async ({ play, repaired }) => {
    const ann = person('ann')
    const told = step(ann.buys('power'), ann.getsPack(2_000_000n), ann.has(2_000_000n), staysUndelivered)
    const wrong = story({ name: 'wrong', title: 'wrong', people: [ann], steps: [told], asFound })
    const { complaints } = await play.perform(wrong, repaired, { plan: IN_ORDER })
    expect(complaints).toEqual([expect.stringMatching(/: nothing was answered 5xx$/)])
  })

  // Stripe would refuse such a call; a stand-in that shrugs would let it reach production.
  test("calls Stripe's API in a way that Stripe refuses", async ({ play, appThat }) => {
    const app = await appThat(async (_, passOn) => {
      const headers = { authorization: 'Bearer sk_live_x' }
      await fetch(`${play.stripeApiUrl}/v1/invoices?limit=1000`, { headers })
      return passOn()
    })
    const { complaints, invalidRequests } = await play.perform(PACK, app, { plan: IN_ORDER })
    expect(complaints).toEqual([])
    expect(invalidRequests[0]).toMatch(/^GET \/v1\/invoices\?limit=1000.* answered 400/)
  })

  // An engine that throws here takes the timeline with it; one that goes on waits half a minute for each delivery.
  describe('gives no answer: the story ends there, and says where', () => {
    test('because nothing listens', async ({ play }) => {
      const gone = await serveHttp('nobody', () => new Response())
      await gone.close()
      const app = appAt(gone.url, 'whsec_x')
      const { complaints, isCut, played } = await play.perform(PACK, app, { plan: IN_ORDER })
      expect(complaints).toEqual([
        expect.stringMatching(
          /^step 1 \(ann buys a mega pack by card\): \S+ evt_\w+: http:\/\/127.0.0.1:\d+\/api\/stripe\/webhook can't be reached: nothing listens there \(ECONNREFUSED\); it has 0 connections to Postgres$/,
        ),
      ])
      expect(isCut).toBe(true)
      expect(renderTimeline(played, new Map())).toMatch(/evt_\w+ +– +\d+ ms {2}http.* can't be reached/)
    })

    test('because it takes the request and is silent', async ({ play, appThat }) => {
      const app = await appThat(() => new Promise(() => {}))
      const { complaints, isCut } = await play.perform(PACK, { ...app, patienceMs: 50 }, { plan: IN_ORDER })
      expect(complaints).toEqual([
        expect.stringMatching(
          /: \S+ evt_\w+: http\S+ did not answer within 0.05 s; it has 0 connections to Postgres$/,
        ),
      ])
      expect(isCut).toBe(true)
    })

    test('because it is silent to a person’s request', async ({ play, appThat }) => {
      const app = await appThat(() => new Promise(() => {}))
      const [use] = storiesNamed(['use']) as [Story]
      const { complaints } = await play.perform(use, { ...app, patienceMs: 50 }, { plan: IN_ORDER })
      expect(complaints).toEqual([
        expect.stringMatching(
          /did not answer within 0.05 s; it has 0 connections to Postgres; \d+ more steps not played$/,
        ),
      ])
    })
  })
})

describe('deliveries', () => {
  // An engine that gives up would blame the app for what Stripe mends by itself.
  test('what is not taken comes again, until it is', async ({ play, appThat }) => {
    let refused = 0
    const app = await appThat(async (_, passOn) =>
      ++refused % 3 === 0 ? passOn() : new Response('busy', { status: 503 }),
    )
    const { complaints, played } = await play.perform(PACK, app, { plan: IN_ORDER })
    expect(complaints).toEqual([])
    expect(played[0]?.sent.map(({ status }) => status)).toEqual(
      Array.from({ length: 18 }, (_, index) => (index % 3 === 2 ? 200 : 503)),
    )
  })

  // Not three times, and no step later: then it is delivered with the steps that follow.
  test('what is never taken stays with Stripe, and is taken in a later step', async ({ play, appThat }) => {
    const ann = person('ann')
    let asked = 0
    // Six deliveries, each sent three times.
    const app = await appThat(async (_, passOn) =>
      ++asked <= 18 ? new Response('out', { status: 502 }) : passOn(),
    )
    const outage = story({
      name: 'outage',
      title: 'a pack bought while the app is out is granted when it is back',
      people: [ann],
      steps: [
        step(ann.buys('power'), staysUndelivered),
        step(ann.paysHandMadeInvoice('amount'), ann.getsPack(2_000_000n), ann.has(2_000_000n)),
      ],
      asFound,
    })
    const { complaints, cast } = await play.perform(outage, app, { plan: IN_ORDER })
    expect(complaints).toEqual([])
    expect(cast.undelivered.deliveries).toEqual([])
  })

  // A plan that does not repeat, or repeats AI use, which is a second call and no delivery.
  test('twice: every delivery and every admin request, but not AI use', async ({ play, repaired }) => {
    const ann = person('ann')
    const told = story({
      name: 'twice',
      title: 'twice',
      people: [ann],
      steps: [
        step(ann.isAdjusted(500n, 'gift'), ann.isGiven(500n), ann.has(500n)),
        step(ann.uses(100n), ann.spends(100n), ann.has(400n)),
        step(ann.buys('power', { pay: 'coupon' }), ann.getsPack(2_000_000n), ann.has(2_000_400n)),
      ],
      asFound,
    })
    const { complaints, played } = await play.perform(told, repaired, { plan: TWICE })
    expect(complaints).toEqual([])
    expect(played.map(({ sent }) => sent.map(({ what }) => what))).toEqual([
      ['POST /api/admin/users/adjust-tokens', 'POST /api/admin/users/adjust-tokens'],
      ['POST /api/ai/use'],
      ['customer.created', 'customer.created', 'checkout.session.completed', 'checkout.session.completed'],
    ])
  })
})

describe('people', () => {
  // Everything follows from the story's name: what fails here fails in the replay too.
  test('and events are the same in every run', async ({ database, play, repaired }) => {
    const other = await Play.open({ databaseUrl: (await database('unified')).url })
    const app = await other.startApp('repaired')
    const [one, two] = [
      await play.perform(PACK, repaired, { plan: IN_ORDER }),
      await other.perform(PACK, app, { plan: IN_ORDER }),
    ]
    await app.close()
    await other.close()
    expect(two.cast.people).toEqual(one.cast.people)
    expect(two.played[0]?.sent.map(({ id }) => id)).toEqual(one.played[0]?.sent.map(({ id }) => id))
    expect(other.evidence()).toEqual(play.evidence())
  })

  test('of two stories in one database are not the same', async ({ play, repaired }) => {
    const [pack, coupon] = storiesNamed(['pack-paid', 'pack-coupon']) as [Story, Story]
    const one = await play.perform(pack, repaired, { plan: IN_ORDER })
    const two = await play.perform(coupon, repaired, { plan: IN_ORDER })
    expect([...one.complaints, ...two.complaints]).toEqual([])
    expect(two.cast.person('ann').userId).not.toBe(one.cast.person('ann').userId)
    await expect(play.perform(pack, repaired, { plan: IN_ORDER })).rejects.toThrow(
      'was played on this database',
    )
  })

  // A migration that loses or changes what was there before; a play that dies with its app.
  test('go on with another app, on the migrated database', async ({ database }) => {
    const { url } = await database('as-found')
    const ann = person('ann', { hasDraft: true })
    const play = await Play.open({ databaseUrl: url })
    const start = async (
      revision: 'as-found' | 'repaired',
      first: Story,
      cast?: Parameters<Play['perform']>[2]['cast'],
    ) => {
      const app: AppUnderTest = await play.startApp(revision)
      const performance = await play.perform(first, app, { plan: IN_ORDER, cast })
      await app.close()
      return performance
    }
    const january = story({
      name: 'january',
      title: 'a pack, half of it used',
      people: [ann],
      steps: [
        step(ann.buys('power'), ann.getsPack(2_000_000n), ann.has(2_000_000n)),
        step(ann.uses(1_000_000n), ann.spends(1_000_000n), ann.has(1_000_000n)),
      ],
      asFound,
    })
    const { cast, played } = await start('as-found', january)
    expect(played.at(-1)?.snapshot.profiles.find(({ profile }) => profile === 'active')?.balance).toBe(
      1_000_000n,
    )

    await migrate(parseTarget(url), 'unify')
    const again = person('ann', { hasDraft: true, balance: 1_000_000n })
    const february = story({
      name: 'february',
      title: 'a year, after the migration',
      people: [again],
      steps: [
        step(
          again.startsAnnual(),
          again.losesRest(1_000_000n),
          again.getsPlan(5_000_000n),
          again.has(5_000_000n),
        ),
        step(again.uses(1n), again.spends(1n), again.has(4_999_999n)),
      ],
      asFound,
    })
    expect((await start('repaired', february, cast)).complaints).toEqual([])
    await play.close()

    const client = new Client(url)
    await client.connect()
    const { rows } = await client.query(
      'select action_type, grant_key from public.token_usage order by created_at',
    )
    await client.end()
    expect(rows[0]).toEqual({
      action_type: 'token_pack_purchase',
      grant_key: expect.stringMatching(/^checkout_session:cs_live_/),
    })
  })
})
