import { Client } from 'pg'
import { expect } from 'vitest'
import { dryRun } from '../../fixtures/migrations/dry-run.ts'
import { sumOfTallies } from '../../fixtures/migrations/plan.ts'
import type { Tally } from '../../fixtures/migrations/rows.ts'
import { migrate } from '../../fixtures/migrations/run.ts'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import type { Found } from './found.ts'
import { unify } from './road.ts'
import { test } from './test.ts'

/** Every action type that token_transactions knew and that tells its direction, and what it is called now. */
const TYPES = [
  ['annual_subscription_grant', 'subscription_grant'],
  ['subscription_grant', 'subscription_grant'],
  ['renewal_grant', 'subscription_grant'],
  ['trial_grant', 'trial_grant'],
  ['pack_purchase', 'token_pack_purchase'],
  ['token_pack_purchase', 'token_pack_purchase'],
  ['admin_grant', 'admin_grant'],
  ['admin_deduct', 'admin_deduct'],
  ['chat', 'chat_conversation'],
  ['refinement', 'vision_refinement'],
  ['blueprint', 'blueprint_generation'],
  ['assessment', 'assessment_scoring'],
  ['audio_generation', 'audio_generation'],
  ['transcription', 'transcription'],
  ['image_generation', 'image_generation'],
] as const

async function legacy(
  found: Found,
  user: string,
  type: string,
  tokens: number,
  remaining = 0,
): Promise<string> {
  const { rows } = await found.db.query(
    `insert into public.token_transactions (user_id, action_type, tokens_used, tokens_remaining)
     values ($1, $2, $3, $4) returning id`,
    [user, type, tokens, remaining],
  )
  return rows[0].id
}

// Would catch: a direction read from the sign, which has meant both things, and a type lost in the mapping.
test('old rows of both sign conventions are copied once, with their new types', async ({
  asFound: { database, found },
}) => {
  const ann = await found.user()
  const ids = new Map<string, string>()
  for (const [was, is] of TYPES) {
    for (const tokens of [70, -70]) ids.set(await legacy(found, ann, was, tokens), `${is} 70`)
  }
  await unify(database, found)
  const { rows } = await found.db.query(
    `select metadata ->> 'legacy_id' as id, concat_ws(' ', action_type, tokens_used) as entry, grant_key
     from public.token_usage where metadata ->> 'legacy_table' = 'token_transactions'`,
  )
  expect(new Map(rows.map(({ id, entry }) => [id, entry]))).toEqual(ids)
  const { rows: sums } = await found.db.query(`select sum(delta)::int as total from public.token_ledger`)
  expect(sums).toEqual([{ total: 7 * 2 * 70 - 8 * 2 * 70 }])
})

test('a manual adjustment goes the way that the balances around it tell, or stays where it is', async ({
  asFound: { database, found },
}) => {
  const ann = await found.user()
  await legacy(found, ann, 'chat', 10, 90)
  await legacy(found, ann, 'manual_adjustment', 50, 140)
  await legacy(found, ann, 'manual_adjustment', 200, 0)
  await legacy(found, ann, 'manual_adjustment', 33, 77)
  const { ledger, changed } = await migrate(parseTarget(database.url), 'unify')
  expect((await found.ledger(ann)).map((entry) => entry.replace(/ legacy:.*/, ''))).toEqual([
    'chat_conversation 10',
    'admin_grant 50',
    'admin_deduct 200',
  ])
  expect(told(changed)).toContain(
    'copied from token_transactions: manual_adjustment → admin_grant: 1 rows, 50 tokens',
  )
  expect(told(ledger.filter(({ what }) => what !== 'token_usage'))).toEqual([
    'token_transactions: manual_adjustment → manual_adjustment: 1 rows, 33 tokens',
  ])
})

test('packs that were filed as admin grants get their type and the key of their session', async ({
  asFound: { database, found },
}) => {
  const ann = await found.user()
  await found.pack(ann, 2_000_000, 'cs_1', { times: 2 })
  await found.admin(ann, 500, 'req-1')
  await unify(database, found)
  expect((await found.ledger(ann)).map((entry) => entry.replace(/legacy:.*/, 'legacy'))).toEqual([
    'token_pack_purchase 2000000 checkout_session:cs_1',
    'token_pack_purchase 2000000 legacy',
    'admin_grant 500 legacy',
  ])
})

test('unify brings the view along, and says what it did', async ({ asFound: { database, found } }) => {
  const ann = await found.user()
  for (const n of [1, 2, 3, 4]) await found.drip(ann, 'sub_a', `in_${n}`)
  await found.drip(ann, 'sub_a', 'in_5')
  const migration = await migrate(parseTarget(database.url), 'unify')
  expect(migration.ran).toEqual(['view', 'unify'])
  expect(told(migration.changed)).toEqual([
    'copied from token_drips: drip → subscription_grant: 5 rows, 1875000 tokens',
    'expired by token_drips: expired_tokens → admin_deduct: 1 rows, 1500000 tokens',
  ])
  const { rows } = await found.db.query(
    'select stage, file_hash from public.token_ledger_stage order by applied_at',
  )
  expect(rows).toEqual([
    { stage: 'view', file_hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
    { stage: 'unify', file_hash: expect.stringMatching(/^[0-9a-f]{64}$/) },
  ])
})

// Would catch: a dry run that forgets to roll back, and one that proves nothing because it looks at one table.
test('a dry run tells what a run would do, and leaves no trace', async ({ asFound: { database, found } }) => {
  const ann = await found.user()
  await found.pack(ann, 2_000_000, 'cs_1')
  await found.annual(ann, 'sub_a', 'in_1')
  const before = await catalogue(found)
  const rows = await found.everything()
  const target = parseTarget(database.url)
  for (const step of ['view', 'unify'] as const) {
    const dry = await dryRun(target, step)
    expect(dry.proof).toMatch(
      /^nothing was written: transactions \d+ and \d+ were rolled back, .* the same before and after$/,
    )
    expect(await catalogue(found)).toEqual(before)
    expect(await found.everything()).toEqual(rows)
  }
  const dry = await dryRun(target, 'unify')
  const real = await migrate(target, 'unify')
  expect(real.changed).toEqual(sumOfTallies(dry.users))
  expect(real.schema).toEqual(dry.schema)
  expect((await dryRun(target, 'unify')).nothingToDo).toBe(true)
  expect((await migrate(target, 'view')).nothingToDo).toBe(true)
})

test('a row that the ledger can not hold stops unify before it has changed anything', async ({
  asFound: { database, found },
}) => {
  const ann = await found.user()
  await found.db.query(
    `insert into public.token_usage (user_id, action_type, model_used, tokens_used)
     values ($1, 'admin_grant', 'admin', -5)`,
    [ann],
  )
  const before = await catalogue(found)
  await expect(migrate(parseTarget(database.url), 'unify')).rejects.toThrow(
    /token_usage has 1 row\(s\) with a negative size.*Correct or delete these rows/,
  )
  expect(await catalogue(found)).toEqual(before)
})

// Would catch: two migrations that interleave, and one that waits for an application's lock for ever.
test('another migration, or a table in use for too long, is said at once and nothing is written', async ({
  asFound: { database, found },
}) => {
  const target = parseTarget(database.url)
  const before = await catalogue(found)
  const other = new Client(database.url)
  await other.connect()
  try {
    await other.query('begin')
    await other.query('select pg_advisory_xact_lock(1953234945)')
    await expect(migrate(target, 'unify')).rejects.toThrow(/another migration is running on this database/)
    await other.query('rollback')
    await other.query('begin')
    await other.query('lock table public.token_usage in access share mode')
    await other.query('lock table public.token_drips in row exclusive mode')
    await expect(migrate(target, 'unify')).rejects.toThrow(
      /in use by another session for too long, nothing was written/,
    )
  } finally {
    await other.end()
  }
  expect(await catalogue(found)).toEqual(before)
})

function told(tallies: readonly Tally[]): string[] {
  return tallies.map(
    ({ what, was, is, rows, tokens }) => `${what}: ${was} → ${is}: ${rows} rows, ${tokens} tokens`,
  )
}

/** What pg_catalog says of the tables and functions, read without the code under test. */
async function catalogue({ db }: Found): Promise<unknown> {
  const read = async (sql: string) => (await db.query(sql)).rows
  return {
    relations: await read(
      `select relname, relkind, relacl::text, reltuples from pg_class where relnamespace = 'public'::regnamespace order by 1`,
    ),
    attributes: await read(
      `select attrelid::regclass::text, attname, attacl::text from pg_attribute
       where attrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace) order by 1, attnum`,
    ),
    functions: await read(
      `select oid::regprocedure::text as f, md5(prosrc), proacl::text from pg_proc where pronamespace = 'public'::regnamespace order by 1`,
    ),
    constraints: await read(
      `select conname, pg_get_constraintdef(oid) as is, convalidated from pg_constraint order by 1, 2`,
    ),
    policies: await read('select polname from pg_policy order by 1'),
  }
}
