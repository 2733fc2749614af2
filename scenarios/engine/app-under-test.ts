import { basename } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type AppEnv, type AppRevision, startApp } from '../../fixtures/app/app.ts'
import type { LogLine } from '../../fixtures/captured-console.ts'
import { startDataApi } from '../../fixtures/supabase/data-api.ts'
import { AppProcess } from './app-process.ts'
import { WireProxy } from './explore/wire-proxy.ts'

/** Whatever answers on the webhook URL. */
export interface AppUnderTest {
  /** `as-found`, `repaired`, the last part of a directory's path, or the URL. */
  readonly name: string
  readonly url: string
  /** What signs the deliveries to it. */
  readonly webhookSecret: string
  /** The secret of the endpoint that another has replaced, which the app still takes; where it was given one. */
  readonly oldWebhookSecret?: string | undefined
  /** What it has said on its console; empty for an app that runs elsewhere. */
  readonly log: readonly LogLine[]
  /** What its statements pass on their way to Postgres; without it they can't be disturbed. */
  readonly proxy?: WireProxy | undefined
  /** Where it runs in one of its own; without it it can't be killed. */
  readonly process?: AppProcess | undefined
  /** How long it may take to answer; default: as long as Stripe waits. */
  readonly patienceMs?: number | undefined
  close(): Promise<void>
}

/** Where the app finds what it needs. */
export interface AppGround {
  readonly databaseUrl: string
  /** The API stand-in. */
  readonly stripeApiUrl: string
  /** Its statements pass a proxy, so that a plan can disturb them. */
  readonly disturbed?: boolean
  /** It runs in a process of its own, so that a plan can kill it. */
  readonly ownProcess?: boolean
}

/** How long an app may take to end. */
const FAREWELL_MS = 3_000

const WEBHOOK_SECRET = 'whsec_of_the_stories'
const OLD_WEBHOOK_SECRET = 'whsec_of_the_old_endpoint'

/**
 * Starts a revision of the reference app, or the app of another directory, on a database, with Supabase's Data API
 * beside it. Throws what `startApp` throws.
 */
export async function startReferenceApp(
  revision: AppRevision | (string & {}),
  ground: AppGround,
): Promise<AppUnderTest> {
  const proxy = ground.disturbed ? await WireProxy.start(ground.databaseUrl) : undefined
  const databaseUrl = proxy?.url ?? ground.databaseUrl
  // As found it can be given one secret only.
  const oldWebhookSecret = revision === 'as-found' ? undefined : OLD_WEBHOOK_SECRET
  const api = await startDataApi(databaseUrl)
  // Its first request reads the catalogue, and others wait for that inside of it: no plan could tell who waits for whom.
  if (ground.disturbed)
    await fetch(`${api.url}/rest/v1/user_profiles?select=id&limit=1`, { headers: { apikey: api.serviceKey } })
  const env: AppEnv = {
    DATABASE_URL: databaseUrl,
    SUPABASE_URL: api.url,
    SUPABASE_ANON_KEY: api.anonKey,
    SUPABASE_SERVICE_ROLE_KEY: api.serviceKey,
    STRIPE_SECRET_KEY: 'sk_live_of_the_stories',
    STRIPE_WEBHOOK_SECRET: [WEBHOOK_SECRET, oldWebhookSecret].filter((secret) => secret).join(','),
    STRIPE_API_HOST: ground.stripeApiUrl,
    STRIPE_TIMEOUT_MS: '500',
    STRIPE_LIVEMODE: 'true',
  }
  const process = ground.ownProcess ? await AppProcess.start(revision, env) : undefined
  const app = process ?? (await startApp(revision, env))
  return {
    name: basename(revision),
    url: app.url,
    webhookSecret: WEBHOOK_SECRET,
    oldWebhookSecret,
    log: app.log,
    proxy,
    process,
    async close() {
      // One that leaks its connections never comes to the end of them.
      await Promise.race([app.close(), setTimeout(FAREWELL_MS, undefined, { ref: false })])
      await api.stop()
      await proxy?.close()
    },
  }
}

/** An app that somebody else runs; the secrets are those that it was given. */
export function appAt(url: string, webhookSecret: string, oldWebhookSecret?: string): AppUnderTest {
  const at = url.replace(/\/+$/, '')
  return { name: url, url: at, webhookSecret, oldWebhookSecret, log: [], close: async () => {} }
}
