import { createHash } from 'node:crypto'
import { Client } from 'pg'
import { describe } from 'vitest'
import { Session } from '../../audits/session.ts'
import { SAMPLE } from '../../audits/violations.ts'
import { test } from '../support/test.ts'
import { AS_OF, asRole, execute, impatient, judge, NO_END, rule, select, violation } from './support.ts'

/** Column `detail` of the only violation: what the rule saw. */
async function seen(url: string, detail: string, given: Parameters<typeof judge>[2] = {}): Promise<string> {
  const outcome = await judge(url, rule({ sql: violation({ detail }), needsEvidence: true }), given)
  if ('failure' in outcome) throw new Error(outcome.failure)
  return outcome.value.sample[0]?.detail ?? ''
}

describe('the transaction of a rule', () => {
  // start-up options are dropped by poolers; a session setting outlives its transaction; `read committed` lets
  // population and rule see two worlds.
  test('has every setting that it must have', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const names = [
      'transaction_read_only',
      'transaction_isolation',
      'statement_timeout',
      'lock_timeout',
      'idle_in_transaction_session_timeout',
      'search_path',
      'row_security',
      'TimeZone',
      'DateStyle',
      'standard_conforming_strings',
      'application_name',
      'audit.as_of',
      'audit.horizon',
      'audit.evidence',
    ]
    const list = names.map((name) => `current_setting('${name}')`).join(` || '|' || `)
    const settings = (await seen(url, list, { settleMs: 900_000, evidence: '{"a":1}' })).split('|')
    expect(Object.fromEntries(names.map((name, index) => [name, settings[index]]))).toEqual({
      transaction_read_only: 'on',
      transaction_isolation: 'repeatable read',
      statement_timeout: '20s',
      lock_timeout: '2s',
      idle_in_transaction_session_timeout: '30s',
      search_path: '',
      row_security: 'off',
      TimeZone: 'UTC',
      DateStyle: 'ISO, YMD',
      standard_conforming_strings: 'on',
      application_name: 'token-audit/run/a-rule',
      'audit.as_of': expect.stringMatching(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      // 15 minutes earlier, to the microsecond.
      'audit.horizon': '2026-11-02T02:49:05.678901Z',
      'audit.evidence': '{"a":1}',
    })
  })

  // Whoever concatenates the evidence into a statement dies of a quote, or is injected by it.
  test('gives evidence of any length and content', async ({ database, expect }) => {
    const { url } = await database('empty')
    const evidence = JSON.stringify({ text: `'; drop table x; -- \\ $1 ${'é\u{1f600}'.repeat(100_000)}` })
    const sql = violation({ detail: `md5(current_setting('audit.evidence'))` })
    const outcome = await judge(url, rule({ sql, needsEvidence: true, population: ONE }), { evidence })
    const md5 = createHash('md5').update(evidence).digest('hex')
    expect(outcome).toMatchObject({ value: { sample: [{ detail: md5 }] } })
  })

  // A setting of the role, or of the URL, that wins over ours.
  test('is not softened by what the role or the URL sets', async ({ database, expect }) => {
    const { url } = await database('as-found')
    await execute(
      url,
      `alter database ${new URL(url).pathname.slice(1)} set statement_timeout = 0; alter database ${new URL(url).pathname.slice(1)} set row_security = on`,
    )
    const softened = new URL(url)
    softened.searchParams.set('options', '-c search_path=public -c default_transaction_read_only=off')
    softened.searchParams.set('application_name', 'somebody')
    const list = ['statement_timeout', 'row_security', 'search_path', 'application_name']
      .map((name) => `current_setting('${name}')`)
      .join(` || '|' || `)
    expect(await seen(softened.href, list)).toBe('20s|off||token-audit/run/a-rule')
  })

  // A transaction that is left open shows every later rule the world of the first, and holds back vacuum.
  test('ends with its rule: the next one sees what has been written since', async ({ database, expect }) => {
    const { url } = await database('empty')
    await execute(url, 'create table public.thing (n int)')
    const session = new Session({ name: 'a', url }, 'run', impatient(), NO_END)
    const counting = rule({ population: 'select count(*) from public.thing' })
    const given = { asOf: AS_OF, settleMs: 0, evidence: '' }
    expect(await session.judge(counting, given)).toMatchObject({ value: { population: 0 } })
    await execute(url, 'insert into public.thing values (1)')
    expect(await session.judge(counting, given)).toMatchObject({ value: { population: 1 } })
    await session.close()
  })

  test('leaves no session behind', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const outcome = await judge(url, rule())
    expect(outcome).toMatchObject({ attempts: 1 })
    expect(
      await select(url, `select 1 from pg_stat_activity where application_name like 'token-audit/%'`),
    ).toEqual([])
  })
})

const ONE = 'select 1::bigint as n'

describe('a rule that would write', () => {
  const write = async (url: string, sql: string, more: Parameters<typeof rule>[0] = {}) => {
    const outcome = await judge(url, rule({ sql, population: ONE, ...more }))
    const rows = await select(url, 'select count(*)::int as n from public.loot')
    return { failure: 'failure' in outcome ? outcome.failure : 'it passed', rows: rows[0]?.n }
  }
  const LOOT = `create table public.loot (n int)`

  // A runner that trusts the catalogue's checks alone; node-postgres' simple protocol, which runs `…; commit; insert …`.
  test.for([
    [
      'as a second statement',
      `${violation()}) as v; insert into public.loot values (1); select v.* from (${violation()}`,
      'cannot insert multiple commands into a prepared statement',
    ],
    [
      'after ending the transaction',
      `${violation()}) as v; commit; insert into public.loot values (1); select v.* from (${violation()}`,
      'cannot insert multiple commands into a prepared statement',
    ],
    [
      'in a CTE',
      `with w as (insert into public.loot values (1) returning n) ${violation({ expected: 'n' }, 'from w')}`,
      '0A000',
    ],
    ['as the whole', 'insert into public.loot values (1) returning n', '42601'],
  ] as const)('%s is refused', async ([, sql, why], { database, expect }) => {
    const { url } = await database('empty')
    await execute(url, LOOT)
    const { failure, rows } = await write(url, sql)
    expect(failure).toContain(why)
    expect(rows).toBe(0)
  })

  // What the file does not show: a view may call anything.
  test('through a view is refused by the transaction', async ({ database, expect }) => {
    const { url } = await database('empty')
    await execute(
      url,
      `${LOOT};
       create function public.take() returns int language plpgsql as $$ begin insert into public.loot values (1); return 1; end $$;
       create view public.innocent as select public.take() as n`,
    )
    const { failure, rows } = await write(url, violation({ expected: 'n::numeric' }, 'from public.innocent'))
    expect(failure).toContain(
      'rules/a-rule.sql: cannot execute INSERT in a read-only transaction (25006): it tried to write',
    )
    expect(rows).toBe(0)
  })

  // `set transaction_read_only = off` works before the first query of a transaction. Ours is not its first.
  test('after making the transaction writable can not make it so', async ({ database, expect }) => {
    const { url } = await database('empty')
    await execute(
      url,
      `${LOOT};
       create function public.take() returns int language plpgsql as $$ begin
         perform set_config('transaction_read_only', 'off', true);
         insert into public.loot values (1);
         return 1;
       end $$;
       create view public.innocent as select public.take() as n`,
    )
    const { failure, rows } = await write(url, violation({ expected: 'n::numeric' }, 'from public.innocent'))
    expect(failure).toContain('must be set before any query (25001)')
    expect(rows).toBe(0)
  })

  // Not on the catalogue's short list, and allowed in a read-only transaction: pg_notify, advisory locks, set_config.
  test('or wait, by a built-in function, is refused by its volatility', async ({ database, expect }) => {
    const { url } = await database('empty')
    await execute(url, LOOT)
    const { failure } = await write(url, violation({ expected: 'pg_backend_pid()::numeric' }), {
      functions: ['pg_try_advisory_lock', 'abs'],
    })
    expect(failure).toContain('it calls pg_try_advisory_lock(): volatile')
  })
})

describe('what a rule may not see', () => {
  const granted = 'grant select on all tables in schema public to'

  // THE way for an audit to be green and worthless: with row_security on, this role sees an empty table.
  test('is an error under row-level security, never an empty table', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const limited = await asRole(url, (role) => `${granted} ${role}; grant usage on schema public to ${role}`)
    const sql = violation({ subject_id: 'u.id::text' }, 'from public.token_usage as u')
    for (const invariant of [rule({ sql }), rule({ sql, population: ONE }), rule({ sql: violation() })]) {
      const outcome = await judge(limited, invariant)
      expect(outcome).toMatchObject({
        attempts: 1,
        failure: expect.stringContaining('row-level security would hide rows from this role'),
      })
    }
  })

  test('is seen by a role that bypasses row-level security', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const reader = await asRole(
      url,
      (role) => `alter role ${role} bypassrls; ${granted} ${role}; grant usage on schema public to ${role}`,
    )
    const sql = violation({}, 'from public.token_usage as u where false')
    expect(await judge(reader, rule({ sql }))).toMatchObject({ value: { violations: 0, population: 0 } })
  })

  test('is an error that says what to grant', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const stranger = await asRole(url, (role) => `alter role ${role} bypassrls`)
    expect(await judge(stranger, rule())).toMatchObject({
      failure:
        'rules/a-rule.sql, population: permission denied for table token_usage (42501): the role may not read this; grant select to it',
    })
  })
})

describe('a rule that is wrong', () => {
  const failureOf = async (url: string, change: Parameters<typeof rule>[0]) => {
    const outcome = await judge(url, rule({ population: ONE, ...change }))
    return 'failure' in outcome ? outcome.failure : 'it passed'
  }

  test.for([
    [
      'names a table that is not there',
      'from public.nowhere',
      'relation "public.nowhere" does not exist (42P01)',
    ],
    [
      'names a column that is not there',
      'from public.thing as t\n  where t.nowhere',
      'column t.nowhere does not exist (42703)',
    ],
    ['finds its tables by the search path', 'from thing', 'relation "thing" does not exist (42P01)'],
  ] as const)('because it %s: the file and the line', async ([, from, why], { database, expect }) => {
    const { url } = await database('empty')
    await execute(url, 'create table public.thing (n int)')
    const line = from.includes('\n') ? 9 : 8
    expect(await failureOf(url, { sql: violation({}, from) })).toContain(`rules/a-rule.sql:${line}: ${why}`)
  })

  // Without a look at the types, `text - text` is an error about operators; and a float is a wrong sum.
  test.for([
    [{ expected: `'5'::text` }, 'column expected is text, it must be numeric'],
    [{ actual: '5::int' }, 'column actual is integer, it must be numeric'],
    [{ actual: '5::float8' }, 'column actual is double precision, it must be numeric'],
    [{ subject_id: 'null::uuid' }, 'column subject_id is uuid, it must be text'],
    [{ occurred_at: 'null::timestamp' }, 'column occurred_at is timestamp, it must be timestamptz'],
  ] as const)('by a column of a wrong type: %o', async ([change, why], { database, expect }) => {
    const { url } = await database('empty')
    expect(await failureOf(url, { sql: violation(change) })).toContain(why)
  })

  // sum() skips null and is poisoned by NaN: both would show an impact that is none.
  test.for([
    [{ expected: 'null::numeric' }],
    [{ actual: `'NaN'::numeric` }],
    [{ actual: `'-Infinity'::numeric` }],
    [{ subject_id: 'null::text' }],
    [{ detail: 'null::text' }],
  ] as const)('by a row without a value: %o', async ([change], { database, expect }) => {
    const { url } = await database('empty')
    expect(await failureOf(url, { sql: violation(change) })).toContain('1 of 1 rows lack a subject')
  })

  test.for([
    'select 1 as n',
    'select 1::bigint, 2::bigint',
    'select n from generate_series(1::bigint, 2) as n',
    'select n from generate_series(1::bigint, 0) as n',
    'select null::bigint as n',
  ])('by a population that is no count: %s', async (population, { database, expect }) => {
    const { url } = await database('empty')
    expect(await failureOf(url, { population })).toBe(
      'rules/a-rule.sql, population: population must be a count(*): one row with one bigint',
    )
  })

  // Postgres quotes the value that did not fit. It may be anybody's address, and this text goes to a channel.
  test('because of the data: without the value', async ({ database, expect }) => {
    const { url } = await database('empty')
    const sql = violation({ expected: 't.v::numeric' }, `from (values ('ann@example.com')) as t (v)`)
    const failure = await failureOf(url, { sql })
    expect(failure).toContain('invalid input syntax for type numeric: "…" (22P02)')
    expect(failure).not.toContain('ann')
  })
})

describe('what a rule finds', () => {
  const many = (count: number, more: Record<string, string> = {}) =>
    violation(
      {
        subject_id: 'g::text',
        expected: '0::numeric',
        actual: 'g::numeric',
        occurred_at: `'2026-11-01 00:00:00.123456+02'::timestamptz`,
        ...more,
      },
      `from generate_series(1, ${count}) as g`,
    )

  // A cap that is reported as the truth ("200 violations"); a second statement that counts another snapshot.
  test('is counted and summed exactly, and shown up to the cap, the largest first', async ({
    database,
    expect,
  }) => {
    const { url } = await database('empty')
    const outcome = await judge(url, rule({ sql: many(1_000), population: ONE }))
    if ('failure' in outcome) throw new Error(outcome.failure)
    const { violations, impact, sample, users } = outcome.value
    expect({ violations, impact, users }).toEqual({ violations: 1_000, impact: '500500', users: 0 })
    expect(sample).toHaveLength(SAMPLE)
    expect(sample[0]).toEqual({
      subjectType: 'thing',
      subjectId: '1000',
      userId: null,
      detail: 'd',
      expected: '0',
      actual: '1000',
      occurredAt: '2026-10-31T22:00:00.123456Z',
    })
  })

  // A parenthesis on the last line of the rule would be part of its comment.
  test('is found by a rule that ends in a comment', async ({ database, expect }) => {
    const { url } = await database('empty')
    const commented = rule({ sql: `${violation()} -- and so on`, population: `${ONE} -- one` })
    expect(await judge(url, commented)).toMatchObject({ value: { population: 1, violations: 1 } })
  })

  // Numbers beyond 2^53: a float would round them.
  test('keeps every digit', async ({ database, expect }) => {
    const { url } = await database('empty')
    const sql = violation({ expected: '9007199254740993::numeric', actual: '0.10::numeric' })
    expect(await judge(url, rule({ sql, population: ONE }))).toMatchObject({
      value: { impact: '9007199254740992.90', sample: [{ expected: '9007199254740993', actual: '0.10' }] },
    })
  })

  test('counts users by user_id, or by the subjects that are users', async ({ database, expect }) => {
    const { url } = await database('empty')
    const user = `('00000000-0000-4000-8000-00000000000' || g % 3)::uuid`
    const named = await judge(
      url,
      rule({ sql: many(10, { user_id: user }), namesUser: true, population: ONE }),
    )
    expect(named).toMatchObject({ value: { violations: 10, users: 3 } })
    const subjects = await judge(
      url,
      rule({ sql: many(10, { subject_type: `'user'::text` }), population: ONE }),
    )
    expect(subjects).toMatchObject({
      value: { users: 10, sample: expect.arrayContaining([expect.objectContaining({ userId: '10' })]) },
    })
  })

  test('has no time where the rule knows none, or it is no moment', async ({ database, expect }) => {
    const { url } = await database('empty')
    for (const time of ['null', `'infinity'`, `'-infinity'`]) {
      const sql = violation({ occurred_at: `${time}::timestamptz` })
      expect(await judge(url, rule({ sql, population: ONE }))).toMatchObject({
        value: { sample: [{ occurredAt: null }] },
      })
    }
  })
})

describe('a rule that takes too long', () => {
  const slow = (seconds: number) => `create view public.slow as select pg_sleep(${seconds})::text as s`
  const sql = violation({ detail: 's' }, 'from public.slow')

  // A retry of a time-out doubles the load on a replica that is too slow already.
  test('is cancelled by the server, and not tried again', async ({ database, expect }) => {
    const { url } = await database('empty')
    await execute(url, slow(30))
    const surroundings = impatient({ statementMs: 200 })
    const outcome = await judge(url, rule({ sql, population: ONE }), { surroundings })
    expect(outcome).toEqual({
      attempts: 1,
      lost: false,
      failure:
        'rules/a-rule.sql: canceling statement due to statement timeout (57014): it took longer than the audit allows a statement; it is not tried again',
    })
    expect(surroundings.waits).toEqual([])
  })

  test('because of a lock does not wait for it', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const holder = new Client({ connectionString: url })
    await holder.connect()
    await holder.query('begin; lock table public.token_usage')
    const outcome = await judge(url, rule(), { surroundings: impatient({ lockMs: 100 }) })
    await holder.end()
    expect(outcome).toMatchObject({ attempts: 1, failure: expect.stringContaining('(55P03)') })
  })

  // The server may not hear its own alarm: then the client ends it, and the next rule gets a new connection.
  test('and does not let itself be cancelled is cut off by the client', async ({ database, expect }) => {
    const { url } = await database('empty')
    await execute(
      url,
      `create function public.deaf() returns text language plpgsql as $$ begin
         perform pg_sleep(5);
       exception when query_canceled then
         perform pg_sleep(2);
         return 'late';
       end $$;
       create view public.slow as select public.deaf() as s`,
    )
    const surroundings = impatient({ statementMs: 100, graceMs: 200 })
    const outcome = await judge(url, rule({ sql, population: ONE }), { surroundings })
    expect(outcome).toEqual({
      attempts: 1,
      lost: false,
      failure: 'rules/a-rule.sql: no answer within 0.3 s; the connection was cut',
    })
  })
})

describe('a rule that a standby cancels', () => {
  /** Conflicts as long as public.fault has a row; `kind` is a condition of plpgsql, or ends the backend. */
  const faulty = (fault: string) => `
    create table public.fault ();
    insert into public.fault default values;
    create function public.conflict() returns text language plpgsql as $$ begin
      if exists (select from public.fault) then ${fault}; end if;
      return 'fine';
    end $$;
    create view public.faulty as select public.conflict() as s`
  const CONFLICT = `raise exception using errcode = '40001', message = 'canceling statement due to conflict with recovery'`
  const END = 'perform pg_terminate_backend(pg_backend_pid())'
  const sql = violation({ detail: 's' }, 'from public.faulty')

  // Unbounded retries made the lag of a replica worse.
  test('is tried three times more, and then told', async ({ database, expect }) => {
    const { url } = await database('empty')
    await execute(url, faulty(CONFLICT))
    const surroundings = impatient()
    const outcome = await judge(url, rule({ sql, population: ONE }), { surroundings })
    expect(outcome).toMatchObject({
      attempts: 4,
      failure: expect.stringContaining('conflict with recovery (40001): the standby'),
    })
    expect(surroundings.waits).toEqual([5_000, 20_000, 60_000])
  })

  test('is judged when the conflict is over, and the attempts are counted', async ({ database, expect }) => {
    const { url } = await database('empty')
    await execute(url, faulty(CONFLICT))
    const surroundings = impatient({}, () => execute(url, 'truncate public.fault'))
    const outcome = await judge(url, rule({ sql, population: ONE }), { surroundings })
    expect(outcome).toMatchObject({ attempts: 2, value: { violations: 1 } })
  })

  // Without a listener for the client's error event the process ends, and nobody is told anything.
  test('by ending the backend is tried once more on a new connection', async ({ database, expect }) => {
    const { url } = await database('empty')
    await execute(url, faulty(END))
    const surroundings = impatient()
    const outcome = await judge(url, rule({ sql, population: ONE }), { surroundings })
    expect(outcome).toMatchObject({ attempts: 2, lost: true, failure: expect.stringContaining('(57P01)') })
    expect(surroundings.waits).toEqual([5_000])
    const healed = impatient({}, () => execute(url, 'truncate public.fault'))
    expect(await judge(url, rule({ sql, population: ONE }), { surroundings: healed })).toMatchObject({
      attempts: 2,
      value: { violations: 1 },
    })
  })
})
