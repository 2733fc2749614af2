import { join } from 'node:path'
import { afterAll, describe } from 'vitest'
import { audit } from '../../audits/audit.ts'
import { type Invariant, readBreaks, readCatalogue } from '../../audits/catalogue.ts'
import { Connection } from '../../audits/connection.ts'
import { type History, openHistory, pastOf } from '../../audits/history.ts'
import { type Screened, screen } from '../../audits/screen.ts'
import type { Stage } from '../../audits/stage.ts'
import { ISO_FORMAT, LIMITS } from '../../audits/transaction.ts'
import type { Databases } from '../../fixtures/postgres/databases.ts'
import { healthyDatabases } from '../engine/kill-matrix.ts'
import { test } from '../support/test.ts'
import { directory, execute, impatient, NO_END, rule, violation } from './support.ts'

const audits = join(import.meta.dirname, '../../audits')
const catalogue = await readCatalogue(join(audits, 'invariants'))
const breaks = await readBreaks(join(audits, 'breaks'), catalogue)

/** What the screens say of a database, compared with what the selects and the populations say, each asked alone. */
interface Asked {
  /** Why the screens could not be asked: then every select is run, and nothing is hidden. */
  readonly failure: string | null
  readonly clear: readonly string[]
  /** Rules that are called clear, and whose select finds something; a line each. */
  readonly hidden: readonly string[]
  /** Rules that are counted otherwise than their population counts; a line each. */
  readonly miscounted: readonly string[]
  /** Those of the suspects whose select finds something. */
  readonly red: readonly string[]
}

/** One database a stage: each fault is put in, asked about, and rolled back. */
const connections = new Map<Stage, Promise<Connection>>()
afterAll(async () => {
  for (const connection of connections.values()) await (await connection).close()
})

async function connectionTo(databases: Databases, stage: Stage): Promise<Connection> {
  const template = (await healthyDatabases(databases))[stage]
  if (template === undefined) throw new Error(`there is no healthy database of stage ${stage}`)
  const { url } = await databases.createFrom(template)
  return Connection.open(url, LIMITS.connectMs, LIMITS.statementMs, NO_END.signal)
}

/** Puts a fault into a healthy database, and asks about it. */
async function askBroken(
  databases: Databases,
  stage: Stage,
  fault: string,
  suspects: readonly string[] = [],
): Promise<Asked> {
  const opened = connections.get(stage) ?? connectionTo(databases, stage)
  connections.set(stage, opened)
  const connection = await opened
  await connection.query('begin')
  try {
    await connection.query(`select set_config('audit.evidence', '{"entitlements": [], "refused": []}', true)`)
    // A message holds one statement, and a fault several.
    await connection.query(`do $do$ begin execute $fault$ ${fault || 'select'} $fault$; end $do$`)
    await connection.query('set transaction read only')
    await connection.query(`select set_config(name, value, true) from (values
      ('search_path', ''), ('row_security', 'off'), ('timezone', 'UTC'), ('jit', 'off'),
      ('audit.as_of', to_char(clock_timestamp() at time zone 'UTC', '${ISO_FORMAT}'))) as s (name, value)`)
    return await ask(connection, stage, suspects)
  } finally {
    await connection.query('rollback')
  }
}

async function ask(connection: Connection, stage: Stage, suspects: readonly string[]): Promise<Asked> {
  const rules = catalogue.invariants.filter(
    ({ stages, population }) => stages.includes(stage) && !population.includes('audit.evidence'),
  )
  await connection.query('savepoint screens')
  let failure: string | null = null
  const screens = await screen(connection, rules, '4711').catch((error: Error) => {
    failure = error.message
    return new Map<string, Screened>()
  })
  await connection.query('rollback to savepoint screens')
  const clear = rules.filter(({ id }) => screens.get(id)?.clear).map(({ id }) => id)
  const suspected = rules.filter(({ id }) => clear.includes(id) || suspects.includes(id))
  const found = await counts(connection, suspected, ({ sql }) => `select count(*) from (${sql}) as v`)
  const populations = await counts(connection, rules, ({ population }) => population)
  return {
    failure,
    clear,
    hidden: clear.filter((id) => found.get(id) !== 0).map((id) => `${id}: ${found.get(id)} violations`),
    miscounted: rules
      .filter(({ id }) => screens.has(id) && screens.get(id)?.population !== populations.get(id))
      .map(({ id }) => `${id}: ${screens.get(id)?.population} in place of ${populations.get(id)}`),
    red: suspects.filter((id) => found.get(id) !== 0),
  }
}

/** A count a rule, all in one statement. */
async function counts(
  connection: Connection,
  rules: readonly Invariant[],
  sqlOf: (rule: Invariant) => string,
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await connection.query(`select ${rules.map((rule) => `(${sqlOf(rule)}\n)`).join(', ')}`)
  return new Map(rules.map(({ id }, index) => [id, Number(rows[0]?.[index] ?? Number.NaN)]))
}

describe('on a healthy database', () => {
  /** Rules whose screens can't be clear there, though their selects find nothing. */
  const UNCLEAR: Partial<Record<Stage, readonly string[]>> = {
    // The repair has reversed a doubled pack: one fact in two rows, and rows that reverse others.
    unify: ['one-grant-per-fact', 'reversal-names-grant'],
  }

  // A screen that is never clear costs and saves nothing; one that counts otherwise hides that a table is empty.
  test.for(['as-found', 'view', 'unify'] as const)(
    'of stage %s screens are clear, as the selects are, and count what the rules count',
    async (stage, { databases, expect }) => {
      const asked = await askBroken(databases, stage, '')
      expect(asked).toMatchObject({ failure: null, hidden: [], miscounted: [] })
      const screened = catalogue.invariants.filter(
        ({ stages, screen }) =>
          stages.includes(stage) && (screen?.stages ?? (screen && stages))?.includes(stage),
      )
      const unclear = screened.filter(({ id }) => !asked.clear.includes(id)).map(({ id }) => id)
      expect(unclear).toEqual(UNCLEAR[stage] ?? [])
    },
  )
})

describe('a break', () => {
  const cases = breaks.flatMap((fault) => fault.stages.map((stage) => [fault.id, stage, fault.sql] as const))

  // A screen that asks less than its rule does.
  test.for(cases)('%s (%s) is hidden by no screen', async ([, stage, sql], { databases, expect }) => {
    expect(await askBroken(databases, stage, sql)).toMatchObject({
      failure: null,
      hidden: [],
      miscounted: [],
    })
  })
})

/** The user with this balance on the healthy database of stage unify. */
const who = (balance: number) =>
  `(select p.user_id from public.user_profiles as p where p.vibe_assistant_tokens_remaining = ${balance} and p.is_active)`
const ANNUAL = who(4_500_000)
const ADMIN = who(20_000)
const PACK = who(2_000_000)
const DRIPS = who(1_100_000)
const NOBODY = `'00000000-0000-4000-8000-000000000001'`
const stranger = `insert into auth.users (id) values (${NOBODY});`
const ROW = `insert into public.token_usage
  (user_id, action_type, model_used, tokens_used, success, balance_before, balance_after, grant_key, created_at, metadata)
  values`

interface Fault {
  readonly what: string
  readonly sql: string
  /** What its selects find at least. */
  readonly red: readonly string[]
  readonly stage?: Stage
}

/** Faults that fit a blind spot of a screen: sums, hashes, guards, windows, joins. */
const FAULTS: readonly Fault[] = [
  {
    what: "two users' balances are swapped",
    red: ['balance-is-ledger-sum'],
    sql: `update public.user_profiles set vibe_assistant_tokens_remaining = case when user_id = ${ADMIN} then 2000000 else 20000 end
      where user_id in (${ADMIN}, ${PACK})`,
  },
  {
    what: 'one token too much here, one too little there, as found',
    red: ['balance-is-ledger-sum-as-found'],
    stage: 'as-found',
    sql: 'update public.user_profiles as p set vibe_assistant_tokens_remaining = p.vibe_assistant_tokens_remaining + o.by from (select user_id, 2 * row_number() over (order by user_id) - 3 as by from public.user_profiles where is_active limit 2) as o where o.user_id = p.user_id',
  },
  {
    what: 'a use is counted for another user',
    red: ['used-counter-is-usage'],
    sql: `update public.user_profiles set vibe_assistant_tokens_used = vibe_assistant_tokens_used + case when user_id = ${ADMIN} then 500 else -500 end
      where user_id in (${ADMIN}, ${DRIPS})`,
  },
  {
    what: 'a row is moved to another user',
    red: ['balance-is-ledger-sum', 'running-balance-chain'],
    sql: `update public.token_usage set user_id = ${PACK}
      where user_id = ${ADMIN} and balance_after is not null`,
  },
  {
    what: 'somebody without a profile only fails',
    red: ['profile-one-active'],
    sql: `${stranger} ${ROW} (${NOBODY}, 'chat_conversation', 'm', 5, false, 0, 0, null, now(), '{}')`,
  },
  {
    what: 'somebody without a profile has rows that cancel out',
    red: ['profile-one-active'],
    sql: `${stranger} ${ROW}
        (${NOBODY}, 'admin_grant', 'm', 5, true, 0, 5, 'admin:1', now() - interval '1 s', '{}'),
        (${NOBODY}, 'admin_deduct', 'm', 5, true, 5, 0, 'admin:2', now(), '{}')`,
  },
  {
    what: 'two active profiles share one balance',
    red: ['profile-one-active', 'balance-is-ledger-sum'],
    sql: `drop index public.user_profiles_one_active;
      insert into public.user_profiles (user_id, vibe_assistant_tokens_remaining) values (${PACK}, 0)`,
  },
  {
    what: 'the index on active profiles leaves some out',
    red: ['profile-one-active'],
    sql: `drop index public.user_profiles_one_active;
      create unique index user_profiles_one_active on public.user_profiles (user_id) where is_active and not is_draft and version_number = 1;
      insert into public.user_profiles (user_id, vibe_assistant_tokens_remaining, version_number) values (${PACK}, 0, 2)`,
  },
  {
    what: 'two rows have changed places',
    red: ['running-balance-chain'],
    sql: `update public.token_usage as u set created_at = o.created_at
      from public.token_usage as o where u.user_id = ${DRIPS} and o.user_id = u.user_id and u.balance_before in (375000, 750000) and o.balance_before = 1125000 - u.balance_before`,
  },
  {
    what: 'a failed call claims a balance that never was',
    red: ['running-balance-chain'],
    sql: `update public.token_usage set balance_before = 999, balance_after = 999
      where user_id = ${ANNUAL} and not success`,
  },
  {
    what: 'a failed call has no time any more',
    red: ['running-balance-chain'],
    sql: `alter table public.token_usage alter created_at drop not null;
      update public.token_usage set created_at = null
      where user_id = ${ANNUAL} and not success`,
  },
  {
    what: 'all balances of a chain are 2³² + 1 higher, which Postgres hashes alike',
    red: ['running-balance-chain'],
    sql: `update public.token_usage set balance_before = balance_before + 4294967297, balance_after = balance_after + 4294967297
      where user_id = ${PACK}`,
  },
  {
    what: 'a use has no type any more',
    red: ['used-counter-is-usage'],
    sql: `alter table public.token_usage alter action_type drop not null;
      update public.token_usage set action_type = null
      where user_id = ${DRIPS} and grant_key is null`,
  },
  {
    what: 'a row belongs to nobody',
    red: ['balance-is-ledger-sum'],
    sql: `alter table public.token_usage alter user_id drop not null;
      update public.token_usage set user_id = null
      where user_id = ${PACK}`,
  },
  {
    what: 'one balance is no number, and so is its sum',
    red: ['balance-is-ledger-sum-as-found'],
    stage: 'as-found',
    sql: `alter table public.user_profiles alter vibe_assistant_tokens_remaining type numeric;
      alter table public.token_usage alter tokens_used type numeric;
      update public.token_usage set tokens_used = 'NaN' where action_type = 'admin_deduct';
      update public.user_profiles as p set vibe_assistant_tokens_remaining = case when exists (select from public.token_usage as u where u.user_id = p.user_id and u.tokens_used = 'NaN') then 'NaN'::numeric else 7 end`,
  },
  {
    what: 'two rows are of all time',
    red: ['row-order-strict', 'row-not-in-the-future'],
    sql: `${ROW}
        (${PACK}, 'chat_conversation', 'm', 0, true, 2000000, 2000000, null, 'infinity', '{}'),
        (${PACK}, 'chat_conversation', 'm', 0, true, 2000000, 2000000, null, 'infinity', '{}')`,
  },
  {
    what: 'the index on keys was never finished',
    red: ['one-row-per-grant-key', 'one-grant-per-fact'],
    sql: `drop index public.token_usage_grant_key;
      ${ROW}
        (${PACK}, 'admin_grant', 'm', 5, true, 2000000, 2000005, 'admin:1', now(), '{"request_id": 1}'),
        (${PACK}, 'admin_grant', 'm', 5, true, 2000005, 2000010, 'admin:1', now(), '{"request_id": "1"}');
      create index token_usage_grant_key on public.token_usage (grant_key);
      update pg_catalog.pg_index set indisunique = true, indisvalid = false where indexrelid = 'public.token_usage_grant_key'::regclass`,
  },
  {
    what: 'a key is there once more in a table that inherits',
    red: ['one-row-per-grant-key'],
    sql: `create table public.token_usage_old () inherits (public.token_usage);
      insert into public.token_usage_old select * from public.token_usage
      where user_id = ${PACK}`,
  },
  {
    what: 'a profile is active once more in a table that inherits',
    red: ['profile-one-active', 'profile-rows-agree', 'balance-is-ledger-sum'],
    sql: `create table public.user_profiles_old () inherits (public.user_profiles);
      insert into public.user_profiles_old (user_id, vibe_assistant_tokens_remaining) values (${PACK}, 0)`,
  },
  {
    what: 'an index is called as if it were another',
    red: ['one-row-per-grant-key'],
    sql: `drop index public.token_usage_grant_key;
      create unique index "x USING btree (grant_key) x" on public.token_usage (id);
      ${ROW}
        (${PACK}, 'admin_grant', 'm', 5, true, 2000000, 2000005, 'admin:1', now(), '{}'),
        (${PACK}, 'admin_grant', 'm', 5, true, 2000005, 2000010, 'admin:1', now(), '{}')`,
  },
  {
    what: 'the CHECKs are there, and were never validated',
    red: ['size-positive', 'grant-has-key', 'running-balance-agrees-with-size'],
    sql: `alter table public.token_usage drop constraint token_usage_size,
        drop constraint token_usage_grant_key_needed,
        drop constraint token_usage_balances_agree;
      ${ROW}
        (${PACK}, 'admin_grant', 'm', -5, true, 2000000, 2000000, null, now(), '{}');
      alter table public.token_usage add constraint token_usage_size check (tokens_used >= 0) not valid,
        add constraint token_usage_grant_key_needed check ((grant_key is not null) = (action_type in ('admin_grant', 'admin_deduct', 'subscription_grant', 'trial_grant', 'token_pack_purchase'))) not valid,
        add constraint token_usage_balances_agree check (balance_after >= 0) not valid`,
  },
  {
    what: 'the CHECK on keys asks nothing, and grants without key are no grants',
    red: ['grant-has-key', 'reversal-names-grant', 'reset-goes-with-grant', 'one-grant-per-fact'],
    sql: `alter table public.token_usage drop constraint token_usage_grant_key_needed,
        add constraint token_usage_grant_key_needed check (grant_key is not null or action_type <> '');
      ${ROW}
        (${PACK}, 'subscription_grant', 'm', 5, true, 2000000, 2000005, null, now(), '{"plan": "vision_pro_annual", "reverses": "x", "stripe_invoice_id": "in_1"}'),
        (${PACK}, 'subscription_grant', 'm', 5, true, 2000000, 2000005, null, now(), '{"stripe_invoice_id": "in_1"}')`,
  },
  {
    what: 'an unknown type, below a CHECK that was not validated',
    red: ['action-type-known'],
    sql: `alter table public.token_usage drop constraint token_usage_action_type_check;
      update public.token_usage set action_type = 'gift'
      where user_id = ${DRIPS} and grant_key is null;
      alter table public.token_usage add constraint token_usage_action_type_check check (action_type in ('admin_grant', 'chat_conversation')) not valid`,
  },
  {
    what: 'a copied row names its source in capitals',
    red: ['legacy-row-in-ledger'],
    sql: `update public.token_usage set metadata = jsonb_set(metadata, '{legacy_id}', to_jsonb(upper(metadata ->> 'legacy_id'))) where metadata ? 'legacy_table'`,
  },
  {
    what: 'a source is copied twice, and another never',
    red: ['legacy-row-in-ledger'],
    sql: `drop index public.token_usage_legacy_row;
      update public.token_usage set metadata = metadata || (select jsonb_build_object('legacy_table', o.metadata -> 'legacy_table', 'legacy_id', o.metadata -> 'legacy_id')
      from public.token_usage as o where o.metadata ->> 'legacy_table' = 'token_drips') where metadata ? 'legacy_table';
      create unique index token_usage_legacy_row on public.token_usage ((metadata ->> 'legacy_table'), (metadata ->> 'legacy_id'), id)`,
  },
  {
    what: "two drips have each the other's counterpart",
    red: ['legacy-row-in-ledger'],
    sql: `update public.token_drips as d set metadata = d.metadata || jsonb_build_object('token_usage_id', o.metadata -> 'token_usage_id') from public.token_drips as o where d.metadata ? 'token_usage_id' and o.metadata ? 'token_usage_id' and d.id <> o.id`,
  },
  {
    what: "a drip's counterpart left 2³² + 1 more",
    red: ['legacy-row-in-ledger'],
    sql: `update public.token_usage set balance_before = balance_before + 4294967297, balance_after = balance_after + 4294967297
      where user_id = ${DRIPS} and balance_after = 750000`,
  },
  {
    what: 'a drip of nobody has lost its counterpart',
    red: ['legacy-row-in-ledger'],
    sql: `alter table public.token_drips alter user_id drop not null;
      delete from public.token_usage
      where user_id = ${DRIPS} and balance_after = 750000;
      update public.token_drips set user_id = null where balance_after = 750000`,
  },
  {
    what: 'one request has two keys, once as a number',
    red: ['one-grant-per-fact'],
    sql: `${ROW}
        (${PACK}, 'admin_grant', 'm', 5, true, 2000000, 2000005, 'admin:7', now(), '{"request_id": 7}'),
        (${ADMIN}, 'admin_grant', 'm', 5, true, 20000, 20005, 'admin:8', now(), '{"request_id": "7"}')`,
  },
  {
    what: 'metadata is a list, a text, a number, null',
    red: ['reversal-names-grant', 'grant-key-fits-row'],
    sql: `update public.token_usage set metadata = '["reverses"]'
      where user_id = ${PACK};
      update public.token_usage set metadata = '"x"'
      where user_id = ${ADMIN};
      update public.token_usage set metadata = 'null'
      where user_id = ${DRIPS};
      update public.token_usage set metadata = null
      where user_id = ${ANNUAL};
      ${ROW}
        (${PACK}, 'admin_deduct', 'm', 5, true, 2000000, 1999995, 'admin:9', now(), '{"reverses": 5}')`,
  },
  {
    what: 'a reset comes after the grant that it made room for',
    red: ['reset-goes-with-grant'],
    sql: `update public.token_usage set created_at = now() where grant_key like '%:reset'`,
  },
  {
    what: 'the view shows one row twice, and another never',
    red: ['ledger-view-whole'],
    sql: `do $$ begin execute 'create or replace view public.token_ledger as ' || regexp_replace(pg_get_viewdef('public.token_ledger'), 'u.id AS source_id', format('case when u.id = %L then %L else u.id end AS source_id', (select min(id::text) from public.token_usage), (select max(id::text) from public.token_usage))::text);
      end $$`,
  },
  {
    what: 'sizes overflow what a screen can add up',
    red: ['size-positive'],
    sql: `drop view public.token_ledger;
      alter table public.token_usage drop constraint token_usage_size,
        drop constraint token_usage_balances_agree, alter tokens_used type bigint;
      create view public.token_ledger as select 1 as n;
      update public.token_usage set tokens_used = -9000000000000000000
      where user_id = ${ADMIN}`,
  },
  {
    what: 'calls that moved tokens are marked as failed',
    red: ['used-counter-is-usage', 'running-balance-agrees-with-size'],
    sql: `alter table public.token_usage drop constraint token_usage_balances_agree;
      update public.token_usage set success = false
      where user_id = ${DRIPS} and grant_key is null`,
  },
  {
    what: 'a draft keeps an old balance, and its user has no index',
    red: ['profile-rows-agree'],
    sql: `drop index public.user_profiles_one_active;
      update public.user_profiles set vibe_assistant_tokens_remaining = 1 where is_draft`,
  },
]

describe('a fault that is made for a screen', () => {
  test.for(FAULTS.map((fault) => [fault.what, fault] as const))(
    '%s',
    async ([, fault], { databases, expect }) => {
      const asked = await askBroken(databases, fault.stage ?? 'unify', fault.sql, fault.red)
      expect(asked.red).toEqual(fault.red)
      expect(asked.hidden).toEqual([])
      expect(asked.miscounted).toEqual([])
    },
  )
})

describe('an audit that screens', () => {
  /** A rule that finds one violation, and a screen that says otherwise. */
  const lying = rule({
    id: 'lying',
    population: 'select 3::bigint as n',
    screen: { sql: 'select true as clear' },
  })
  const DAY_MS = 24 * 60 * 60_000

  /** Audits as if every select had been run so many days ago. */
  async function screened(days: number, url: string, invariants: readonly Invariant[]) {
    const past = { ...pastOf([]), lastFull: () => new Date(Date.now() - days * DAY_MS).toISOString() }
    const history: History = {
      warnings: [],
      untold: false,
      of: () => past,
      append: async () => {},
      close: async () => {},
    }
    const report = await audit({
      targets: [{ name: 'shop', url }],
      catalogue: { invariants },
      history,
      settle: false,
      surroundings: impatient(),
    })
    const rules = report.targets[0]?.invariants.map(
      ({ id, status, judged_by }) => `${id}: ${status} by ${judged_by}`,
    )
    return { exit: report.exit, why: report.targets[0]?.screened, rules }
  }

  // A screen that is believed for ever, or a report that does not say what was believed.
  test('believes a screen for less than a week, and says which and with what seed', async ({
    database,
    expect,
  }) => {
    const { url } = await database('as-found')
    const invariants = [
      lying,
      { ...lying, id: 'other', screen: undefined, sql: violation({}, 'where false') },
    ]
    expect(await screened(6, url, invariants)).toEqual({
      exit: 0,
      why: { seed: expect.stringMatching(/^-?\d+$/), full: null },
      rules: ['lying: pass by screen', 'other: pass by select'],
    })
    expect(await screened(7, url, invariants)).toEqual({
      exit: 1,
      why: { seed: null, full: 'every select is run once a week' },
      rules: ['lying: fail by select', 'other: pass by select'],
    })
  })

  // One screen that breaks, and what it could not say is taken for yes, or the whole target is lost.
  test.for([
    ['its question', { screen: { sql: 'select 1 / 0 = 0 as clear' } }],
    ['its guard', { screen: { sql: 'select 1 / 0 = 1 or true as clear' } }],
    ['its population', { population: 'select 1 / 0' }],
  ] as const)(
    'runs every select when a screen fails in %s, and says why',
    async ([, change], { database, expect }) => {
      const { url } = await database('as-found')
      const { exit, why, rules } = await screened(1, url, [lying, { ...lying, id: 'torn', ...change }])
      expect(exit).not.toBe(0)
      expect(why?.full).toMatch(/^the screens could not be run: .*division by zero/)
      expect(rules?.[0]).toBe('lying: fail by select')
    },
  )

  // What only the selects of one night a week see would be "resolved" on all the others, and be told as new each week.
  test('does not call resolved what its screens do not look at', async ({ databases, database, expect }) => {
    const template = (await healthyDatabases(databases)).unify
    if (template === undefined) throw new Error('no template')
    const { url } = await database(template)
    const swapped = FAULTS.find(({ what }) => what === 'two rows have changed places')
    await execute(
      url,
      `${swapped?.sql};
       update public.token_usage set created_at = created_at - interval '30 days';
       update public.token_ledger_stage set applied_at = applied_at - interval '30 days'`,
    )
    const kept = await directory({})
    const night = async () => {
      const history = await openHistory(kept, { now: new Date(), waitMs: 0, targets: ['shop'] })
      const report = await audit({
        targets: [{ name: 'shop', url }],
        catalogue,
        only: ['running-balance-chain'],
        history,
        surroundings: impatient(),
      })
      await history.append(report, null)
      await history.close()
      return report.targets[0]?.invariants.map(({ status, change }) => ({ status, change }))
    }
    expect(await night()).toEqual([{ status: 'fail', change: 'unknown' }])
    expect(await night()).toEqual([{ status: 'fail', change: 'open' }])
  })
})
