import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { describe, expect } from 'vitest'
import { entitlements, readEvidence } from '../audits/evidence.ts'
import { startApp } from '../fixtures/app/app.ts'
import { type HttpServer, serveHttp } from '../fixtures/http-server.ts'
import { runScript } from './support/run-script.ts'
import { test } from './support/test.ts'

const replay = (args: readonly string[], env?: Readonly<Record<string, string>>) =>
  runScript('scripts/replay.ts', args, env)

async function freePort(): Promise<number> {
  const server = await serveHttp('nobody', () => new Response())
  await server.close()
  return Number(new URL(server.url).port)
}

async function tablesIn(url: string): Promise<number> {
  const client = new Client(url)
  await client.connect()
  const { rowCount } = await client.query("select from pg_tables where schemaname in ('public', 'auth')")
  await client.end()
  return rowCount ?? 0
}

async function grantKeys(url: string): Promise<string[]> {
  const client = new Client(url)
  await client.connect()
  const { rows } = await client.query('select grant_key from public.token_usage order by created_at')
  await client.end()
  return rows.map(({ grant_key }) => grant_key)
}

describe('a story is played', () => {
  test('and its timeline printed: deliveries, answers, rows written, balances', async () => {
    const { code, out } = await replay(['pack-paid', 'admin-double-click'])
    expect(out).toContain('pack-paid: a pack that is paid at once is granted once')
    expect(out).toMatch(
      /checkout\.session\.completed +evt_\w+ +200 +\d+ ms\n +\+ token_usage: token_pack_purchase/,
    )
    expect(out).toContain('= ann: balance 0 → 5,000,000')
    expect(out).toMatch(/2 stories, 8 requests, [\d.]+ s: all as told\n$/)
    expect(code).toBe(0)
  })

  test('against the app as it was found, twice', async () => {
    const { code, out } = await replay(['trial-annual', '--app', 'as-found', '--twice'])
    expect(out).toContain('red, as declared: balance-is-ledger-sum-as-found, evidence-has-grant')
    expect(code).toBe(0)
  })

  // An app that logs its failure and answers 200 tells only its console; a timeline without it shows a riddle.
  // Would catch: a Data API whose first request waits inside of it for the other delivery's, which has no turn.
  test('against the app as it was found, two purchases at once, each of them its first', async () => {
    const { code, out } = await replay(['packs-stack', '--app', 'as-found', '--plan', 'overlap 1.5+2.4 AB'])
    expect(out).not.toContain('did not answer')
    expect(code).toBe(0)
  })

  test('with what the app has logged', async () => {
    const { out } = await replay(['use-of-unknown-type', '--app', 'as-found'])
    expect(out).toMatch(
      /POST \/api\/ai\/use .* 200 .*\n +> Failed to track token usage: .*\n +=.* 1,000 → 600/,
    )
  })

  // What --into leaves is what the audit is pointed at, so the two files have to fit.
  test('into a database, with the evidence for it', async ({ databases }) => {
    const database = await databases.empty()
    const folder = await mkdtemp(join(tmpdir(), 'replay-'))
    const file = join(folder, 'evidence.json')
    const { code, out } = await replay([
      'cycle-start',
      'pack-coupon',
      '--into',
      database.url,
      '--evidence',
      file,
    ])
    expect(out).toMatch(/all as told\n$/)
    expect(code).toBe(0)
    const owed = entitlements(await readEvidence(file)).entitlements.map(({ grant_key }) => grant_key)
    expect(owed.toSorted()).toEqual((await grantKeys(database.url)).toSorted())
    expect(owed).toHaveLength(2)
    expect(await readFile(file, 'utf8')).toContain('"version": 1')
    await rm(folder, { recursive: true })
    await database.drop()
  })
})

// What an engineer does with the real app: it runs by itself, on the database of --into, and asks the stand-in.
test('an app that runs elsewhere is told the stories', async ({ databases }) => {
  const database = await databases.empty()
  const port = await freePort()
  const app = await startApp('repaired', {
    DATABASE_URL: database.url,
    SUPABASE_URL: 'http://127.0.0.1:9',
    SUPABASE_ANON_KEY: 'unused',
    SUPABASE_SERVICE_ROLE_KEY: 'unused',
    STRIPE_SECRET_KEY: 'sk_live_x',
    STRIPE_WEBHOOK_SECRET: 'whsec_new',
    STRIPE_API_HOST: `http://127.0.0.1:${port}`,
    STRIPE_LIVEMODE: 'true',
  })
  const { code, out } = await replay(
    ['trial-converts', 'use', '--app', app.url, '--into', database.url, '--stripe-port', String(port)],
    { STRIPE_WEBHOOK_SECRET: 'whsec_new, whsec_old' },
  )
  await app.close()
  await database.drop()
  expect(out).toContain(`Stripe's API answers at http://127.0.0.1:${port}`)
  expect(out).toMatch(/all as told\n$/)
  expect(code).toBe(0)
})

// What is not the app must not be played against: nothing of it would tell anything about the app.
test('a web page in the place of the app ends with 2, says so, and leaves the database empty', async ({
  databases,
}) => {
  const page = await serveHttp('page', () => new Response('<!doctype html><title>Sign in</title>'))
  const database = await databases.empty()
  const { code, err } = await replay(['pack-paid', '--app', page.url, '--into', database.url], {
    STRIPE_WEBHOOK_SECRET: 'whsec_page',
  })
  await page.close()
  expect(err).toMatch(
    /^replay: POST http\S+\/api\/stripe\/webhook is answered 200 with a web page, <!doctype html><title>Sign in/,
  )
  expect(code).toBe(2)
  expect(await tablesIn(database.url)).toBe(0)
  await database.drop()
})

// An app that does nothing at all: the story breaks, and says how to see it again.
test('a story that breaks ends with 1, what is not as told, and the line that plays it again', async ({
  databases,
}) => {
  const idle = await serveHttp('idle app', () => new Response('ok'))
  const database = await databases.empty()
  const { code, out } = await replay(['pack-paid', '--app', idle.url, '--into', database.url], {
    STRIPE_WEBHOOK_SECRET: 'whsec_idle',
  })
  await idle.close()
  await database.drop()
  expect(out).toMatch(/missing: token_pack_purchase 5,000,000 of ann/)
  expect(out).toMatch(/red, not declared: evidence-has-grant/)
  expect(out).toContain(`npm run replay -- pack-paid --app ${idle.url} --into `)
  expect(out).toMatch(/webhook is answered 200, though nobody has signed it: anybody could grant tokens/)
  expect(out).toMatch(/not as told: pack-paid\n$/)
  expect(code).toBe(1)
})

// Thirty seconds for each delivery of each story would be a night.
test('an app that goes away: the stories after that are not played, and named', async ({ databases }) => {
  const database = await databases.empty()
  const port = await freePort()
  const app: HttpServer = await serveHttp('app', async (request) => {
    if (request.headers.has('stripe-signature')) void app.close()
    return new Response('no', { status: 400 })
  })
  const { code, out } = await replay(
    ['pack-paid', 'use', '--app', app.url, '--into', database.url, '--stripe-port', String(port)],
    { STRIPE_WEBHOOK_SECRET: 'whsec_x' },
  )
  await database.drop()
  expect(out).toMatch(/✗ pack-paid, step 1 .*: \S+ evt_\w+: http\S+ (gave no answer|can't be reached)/)
  expect(out).toContain('not played, as the app gives no answer: use')
  expect(code).toBe(1)
})

describe('what can’t be played is said in one line', () => {
  const secret = { STRIPE_WEBHOOK_SECRET: 'whsec_x' }
  const into = 'postgres://postgres@127.0.0.1:9/shop'

  test.each<[string, string[], Readonly<Record<string, string>>, number, RegExp]>([
    [
      'a story that does not exist',
      ['pack-payed'],
      {},
      3,
      /no story "pack-payed"; the stories are:\n {2}pack-paid/,
    ],
    ['an unknown flag', ['--thrice'], {}, 3, /unknown option '--thrice'/],
    [
      'an app that is neither known nor a URL',
      ['--app', 'mended'],
      {},
      3,
      /--app mended: give as-found, repaired/,
    ],
    ['an app elsewhere, without its database', ['--app', 'http://127.0.0.1:9'], secret, 3, /needs --into/],
    [
      'an app elsewhere, without its secret',
      ['--app', 'http://127.0.0.1:9', '--into', into],
      { STRIPE_WEBHOOK_SECRET: '' },
      3,
      /needs STRIPE_WEBHOOK_SECRET/,
    ],
    [
      'a URL without database',
      ['--into', 'postgres://u:secret@127.0.0.1:9'],
      {},
      3,
      /--into names no database on/,
    ],
    ['no URL', ['--into', 'shop'], {}, 3, /--into is no Postgres URL/],
    ['a folder that is not there', ['--evidence', '/nowhere/x.json'], {}, 3, /its folder does not exist/],
    ['a port that is none', ['--stripe-port', '70000'], {}, 3, /must be 0 to 65535/],
    [
      'a database that does not answer',
      ['pack-paid', '--into', into],
      {},
      2,
      /can't be reached \(ECONNREFUSED\)/,
    ],
    [
      'an app that does not answer',
      ['pack-paid', '--app', 'http://127.0.0.1:9', '--into', into],
      secret,
      2,
      /http:\/\/127\.0\.0\.1:9\/api\/stripe\/webhook gave no answer .*: start the app .* at http:\/\/127\.0\.0\.1:12110/,
    ],
  ])('%s', async (_, args, env, code, message) => {
    const ran = await replay(args, env)
    expect(ran.err).toMatch(message)
    expect(ran.err).not.toContain('secret@')
    expect(ran.code).toBe(code)
  })

  // Nothing is lost: what is there may be somebody's.
  test('a database with something in it', async ({ database }) => {
    const { url } = await database('as-found')
    const { code, err } = await replay(['pack-paid', '--into', url])
    expect(err).toMatch(
      /is not empty, \d+ tables and views are there \(auth\.users, public\.customer_subscriptions/,
    )
    expect(code).toBe(3)
  })
})
