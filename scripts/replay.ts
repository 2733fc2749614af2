import { access, constants } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { UsageError } from '../fixtures/postgres/usage-error.ts'
import { readSchema } from '../fixtures/schema/schema.ts'
import { IN_ORDER, misfitIn, type Plan, parsePlan, TWICE } from '../scenarios/engine/plan.ts'
import { storiesNamed } from '../scenarios/engine/stories.ts'
import { outliveReader } from './closed-pipe.ts'
import type { Elsewhere, Order } from './replay/order.ts'

/** Where the stand-in listens for an app that runs elsewhere: it has to know before we start. */
const STRIPE_PORT = 12_110

interface Options {
  readonly app?: string
  readonly schema?: string
  readonly twice?: true
  readonly plan?: string
  readonly into?: string
  readonly evidence?: string
  readonly stripePort?: number
  readonly ownProcess?: true
}

outliveReader()

const command = new Command('replay')
  .description(
    'Plays stories against an app as Stripe and people would, and judges what it leaves in the database.',
  )
  .argument('[story...]', 'names of stories; none: all of them')
  .option(
    '--app <app>',
    'as-found, repaired, or the URL of an app that runs elsewhere (default: repaired; with --schema, what fits its stage)',
  )
  .addOption(
    new Option(
      '--schema <path>',
      'a folder of Supabase migrations, or a file made by pg_dump --schema-only, in the place of our schema',
    ).env('SCHEMA'),
  )
  .option('--twice', 'send every delivery, and every admin request, twice')
  .option(
    '--plan <form>',
    "how deliveries come, as a failing run prints it: 'again 2.1 later; fault 1.3 4 ended' (scenarios/PLANS.md)",
  )
  .option('--into <url>', 'an empty database to play on, all stories in one; it is left filled')
  .option('--evidence <file>', 'write what is owed by all that was played, as npm run audit takes it')
  .option(
    '--stripe-port <port>',
    `where the stand-in for Stripe's API listens; with --app URL ${STRIPE_PORT}, else any free port`,
    parsePort,
  )
  .option(
    '--own-process',
    'start the reference app in a process of its own; a plan that kills or restarts it does so by itself',
  )
  .addHelpText(
    'after',
    `
With --app URL the app must run on the database of --into, with Stripe's API at the stand-in (STRIPE_API_HOST in the
reference app), and STRIPE_WEBHOOK_SECRET set here to what its webhook checks; of two, with a comma between them, the
second is taken for that of an endpoint which another replaces. It is judged as repaired, and first asked what it says to
a delivery that nobody signed.
Without --into each story has a database of its own, on a Postgres chosen as in the tests (TEST_POSTGRES).

Exit: 0 all as told, 1 a story broke, the app stopped to answer, or takes what nobody signed, 2 could not run, 3 wrong
usage.`,
  )
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'replay: ')) })

async function main(): Promise<number> {
  await command.parseAsync()
  const order = await read(command.args, command.opts<Options>())
  // Loaded when it is wanted: a wrong flag is answered at once.
  const { carryOut } = await import('./replay/order.ts')
  return (await carryOut(order)) ? 0 : 1
}

/** Checks everything that can be checked before anything is started. Throws UsageError. */
async function read(names: readonly string[], options: Options): Promise<Order> {
  const { app, schema, twice, plan, into, evidence, stripePort, ownProcess } = options
  if (into !== undefined) checkDatabaseUrl(into)
  if (evidence !== undefined) {
    await access(dirname(evidence), constants.W_OK).catch(() => {
      throw new UsageError(`--evidence ${evidence}: its folder does not exist or can't be written to`)
    })
  }
  const isOurs = app === undefined || app === 'as-found' || app === 'repaired'
  if (!isOurs && ownProcess) {
    throw new UsageError(
      `--own-process and --app ${app}: what runs elsewhere has a process already; leave it out`,
    )
  }
  const stories = storiesNamed([...new Set(names)])
  const played = readPlan(twice, plan)
  for (const { name, steps } of stories) {
    const misfit = misfitIn(played, steps.length)
    if (misfit !== undefined) throw new UsageError(`${name}: ${misfit}`)
  }
  return {
    stories,
    plan: played,
    app: isOurs ? app : elsewhere(app, into),
    schema: schema === undefined ? undefined : await readSchema(schema),
    into,
    evidence,
    standInPort: stripePort ?? (isOurs ? 0 : STRIPE_PORT),
    ownProcess: ownProcess ?? false,
  }
}

function readPlan(twice: true | undefined, form: string | undefined): Plan {
  if (form === undefined) return twice ? TWICE : IN_ORDER
  if (twice) throw new UsageError('--twice and --plan: give one of them; twice is a plan too')
  return parsePlan(form)
}

function elsewhere(url: string, into: string | undefined): Elsewhere {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new UsageError(`--app ${url}: give as-found, repaired, or a URL like http://127.0.0.1:3000`)
  }
  if (into === undefined) {
    throw new UsageError(`--app ${url} needs --into: the database that this app runs on`)
  }
  // Several while one is rolled, or an endpoint replaced: the app takes each of them.
  const [webhookSecret, oldWebhookSecret] = (process.env.STRIPE_WEBHOOK_SECRET ?? '')
    .split(',')
    .map((secret) => secret.trim())
    .filter((secret) => secret !== '')
  if (!webhookSecret) {
    throw new UsageError(`--app ${url} needs STRIPE_WEBHOOK_SECRET: the secret that its webhook checks`)
  }
  return { url, webhookSecret, oldWebhookSecret }
}

function checkDatabaseUrl(text: string): void {
  const url = URL.parse(text)
  // Not repeated: it may hold a password.
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new UsageError('--into is no Postgres URL: give postgres://USER:PASSWORD@HOST:PORT/DATABASE')
  }
  if (url.pathname.length < 2) {
    throw new UsageError(`--into names no database on ${url.host}: end the URL with /DATABASE`)
  }
}

function parsePort(value: string): number {
  const port = Number(value)
  if (!/^\d+$/.test(value) || port > 65_535) throw new InvalidArgumentError('must be 0 to 65535')
  return port
}

function explain(error: unknown): number {
  // Commander has said it already; --help is no error.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 3
  console.error(`replay: ${error instanceof Error ? error.message : String(error)}`)
  return error instanceof UsageError ? 3 : 2
}

process.exitCode = await main().catch(explain)
