import { describe } from 'vitest'
import { type AuditOptions, audit } from '../../audits/audit.ts'
import { type Invariant, readCatalogue } from '../../audits/catalogue.ts'
import { parseEvidence } from '../../audits/evidence.ts'
import { relationsOf } from '../../audits/relations.ts'
import type { Report } from '../../audits/reports/report.ts'
import { roleSql } from '../../audits/role.ts'
import { test } from '../support/test.ts'
import { asRole, command, execute, impatient, proxy, ROOT, rule, select, violation } from './support.ts'

const FINE = violation({}, 'where false')
const ONE = 'select 1::bigint as n'
const fine = (change: Partial<Invariant> = {}) => rule({ sql: FINE, population: ONE, ...change })
const reading = (table: string) =>
  fine({ id: `reads-${table}`, population: `select count(*) + 1 from public.${table}` })

function run(
  targets: AuditOptions['targets'],
  invariants: readonly Invariant[],
  more: Partial<AuditOptions> = {},
): Promise<Report> {
  return audit({ targets, catalogue: { invariants }, surroundings: impatient(), ...more })
}

const statuses = (report: Report) =>
  report.targets.flatMap(({ invariants }) => invariants.map(({ id, status }) => `${id}: ${status}`))

describe('the role', () => {
  const SEES = (role: string) => `alter role ${role} bypassrls; grant usage on schema public to ${role}`

  // One error a rule, each naming one table: five nights until the last grant is there.
  test('that can not read is told once what it lacks and how to mend it; what it can read is judged', async ({
    database,
    expect,
  }) => {
    const { url: owner } = await database('as-found')
    const url = await asRole(owner, (role) => `${SEES(role)}; grant select on public.token_drips to ${role}`)
    const rules = [reading('token_usage'), reading('user_profiles'), reading('token_drips')]
    const before = await run([{ name: 'a', url }], rules)
    expect(statuses(before)).toEqual([
      'reads-token_usage: error',
      'reads-user_profiles: error',
      'reads-token_drips: pass',
    ])
    const problem = before.targets[0]?.invariants[0]?.problem ?? ''
    expect(problem).toContain('no SELECT on public.token_usage, public.user_profiles')
    expect(before.targets[0]?.invariants[1]?.problem).toBe(problem)
    await execute(owner, problem.slice(problem.indexOf(': grant') + 1))
    expect((await run([{ name: 'a', url }], rules)).exit).toBe(0)
  })

  test('that row-level security would filter is told, and the statement mends it', async ({
    database,
    expect,
  }) => {
    const { url: owner } = await database('unified')
    const url = await asRole(
      owner,
      (role) =>
        `grant usage on schema public to ${role}; grant select on all tables in schema public to ${role}`,
    )
    const before = await run([{ name: 'a', url }], [reading('token_usage')])
    expect(before.exit).toBe(2)
    const role = new URL(url).username
    await execute(owner, `alter role ${role} bypassrls`)
    expect((await run([{ name: 'a', url }], [reading('token_usage')])).exit).toBe(0)
  })

  test('without the schema is told before anything is asked', async ({ database, expect }) => {
    const { url: owner } = await database('as-found')
    await execute(owner, 'revoke usage on schema public from public')
    const url = await asRole(owner, () => '')
    const [target] = (await run([{ name: 'a', url }], [reading('token_usage')])).targets
    expect(target?.problem).toContain('no USAGE on schema public')
    expect(target?.problem).toContain('grant usage on schema public to audit_')
  })

  test.for([
    ['is a superuser', undefined, 'is a superuser'],
    [
      'may write',
      (role: string) => `${SEES(role)}; grant select, insert on public.token_usage to ${role}`,
      'revoke insert, update, delete, truncate on all tables in schema public from',
    ],
    [
      'may write all by a role of Postgres',
      (role: string) => `${SEES(role)}; grant pg_read_all_data, pg_write_all_data to ${role}`,
      /it is a member of pg_write_all_data\. .*: revoke pg_write_all_data from \w+; \(/,
    ],
    [
      'owns the table',
      (role: string) => `${SEES(role)}; alter table public.token_usage owner to ${role}`,
      'owns tables of public. The audit does not; on the primary: reassign owned, or a role of its own',
    ],
    [
      'may make roles, databases and tables, and copies of all',
      (role: string) =>
        `${SEES(role)}; grant select on public.token_usage to ${role}; grant create on schema public to ${role};
         alter role ${role} createrole createdb replication; do $$ begin execute format('grant create on database %I to ${role}', current_database()); end $$`,
      /may create in schema public; may create schemas in ta_\w+; has createrole, createdb, replication\. .*revoke create on schema public from \w+; revoke create on database ta_\w+ from \w+; alter role \w+ nocreaterole nocreatedb noreplication;/,
    ],
    [
      'may move a sequence',
      (role: string) =>
        `${SEES(role)}; grant select on public.token_usage to ${role}; create sequence public.s; grant usage on sequence public.s to ${role}`,
      'may move sequences of public',
    ],
    [
      'may write one column',
      (role: string) => `${SEES(role)}; grant select, update (tokens_used) on public.token_usage to ${role}`,
      'may write to tables of public',
    ],
  ] as const)(
    'that %s is a warning: the transaction is read-only all the same',
    async ([, grants, text], { database, expect }) => {
      const { url: owner } = await database('as-found')
      const url = grants === undefined ? owner : await asRole(owner, grants)
      const report = await run([{ name: 'a', url }], [reading('token_usage')])
      expect(report.exit).toBe(0)
      expect(report.targets[0]?.warnings).toEqual([expect.stringMatching(text)])
    },
  )

  // What `--print-role` prints is what an administrator runs: it has to be enough, and no more.
  test.for(['as-found', 'view', 'unified'] as const)(
    'that --print-role makes can judge by all rules and do no more: %s',
    async (revision, { database, expect, onTestFinished }) => {
      const { url: owner } = await database(revision)
      const catalogue = await readCatalogue(`${ROOT}/audits/invariants`)
      const relations = [...(await relationsOf(catalogue.invariants)).keys()]
      const role = `token_audit_${new URL(owner).pathname.slice(1)}`
      const sql = roleSql(relations).replaceAll(/\btoken_audit\b/g, role)
      await execute(owner, sql)
      onTestFinished(() => execute(owner, `drop owned by ${role}; drop role ${role}`))
      const url = new URL(owner)
      url.username = role
      url.password = 'choose%20one'
      const evidence = parseEvidence(
        '{"version":1,"livemode":true,"covers":[{"kind":"trial","from":null,"to":null}]}',
        'e.json',
      )
      const report = await run([{ name: 'a', url: url.href }], catalogue.invariants, { evidence })
      expect(report.targets[0]).toMatchObject({ problem: null, needs_evidence: [] })
      expect(report.targets[0]?.warnings).toEqual([])
      const errors = report.targets[0]?.invariants.filter(({ status }) => status === 'error')
      expect(errors).toEqual([])
    },
  )

  test('is printed by npm run audit -- --print-role, without a target', async ({ expect }) => {
    const { code, out, err } = await command(['--print-role'])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toContain('create role token_audit login bypassrls')
    expect(out).toContain("'public.token_usage'")
    expect(out).toContain("'public.token_audit_heartbeat'")
  })
})

describe('a target', () => {
  test.for([
    ['database', 'app', /^this is the database "ta_.*", and it must be "app"/],
    ['system', '1', /^the system identifier of this cluster is \d+, and it must be 1: /],
  ] as const)('that is not the pinned %s is not judged', async ([pin, value, text], { database, expect }) => {
    const { url } = await database('as-found')
    const report = await run([{ name: 'a', url, [pin]: value }], [fine()])
    expect(report.exit).toBe(2)
    expect(report.targets[0]?.problem).toMatch(text)
    expect(statuses(report)).toEqual(['a-rule: not_run'])
  })

  test('that is the pinned one is judged', async ({ database, expect }) => {
    const { url, name } = await database('as-found')
    const [{ system } = {}] = await select(
      url,
      'select system_identifier::text as system from pg_control_system()',
    )
    const report = await run([{ name: 'a', url, database: name, system: String(system) }], [fine()])
    expect(report).toMatchObject({ exit: 0, targets: [{ database: name, system }] })
  })

  // Two names for one database: a violation would count twice, and a quiet night would be half as wide as it looks.
  test('that is another one by another address is not judged twice', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const { url: again } = await proxy(url)
    const report = await run(
      [
        { name: 'one', url },
        { name: 'two', url: again },
      ],
      [fine()],
    )
    expect(report.targets.map(({ problem }) => problem)).toEqual([
      null,
      'this is the same database of the same server as target "one", by another address: one of the two is superfluous, or leads to the wrong place',
    ])
    expect(report.exit).toBe(2)
  })

  test('may be another database of the same server', async ({ database, expect }) => {
    const [one, two] = [await database('as-found'), await database('as-found')]
    const report = await run([one, two], [fine()])
    expect(report.exit).toBe(0)
  })

  test('whose clock disagrees with this machine is not judged', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const surroundings = { ...impatient(), now: () => Date.now() - 7_200_000 }
    const report = await run([{ name: 'a', url }], [fine()], { surroundings })
    expect(report.targets[0]?.problem).toMatch(
      /^the clock of the server is 2 h ahead of the clock of this machine/,
    )
    expect(report.exit).toBe(2)
  })

  test('leaves out what its targets file leaves out, and says so', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const skip = [{ id: 'red', reason: 'known, #12' }]
    const report = await run([{ name: 'a', url, skip }], [fine(), rule({ id: 'red', population: ONE })])
    expect(report).toMatchObject({ exit: 0, planned: 1, targets: [{ skipped: skip }] })
  })

  test('has its own time limit for a statement', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const limit = fine({ sql: violation({ detail: `current_setting('statement_timeout')` }) })
    const report = await run([{ name: 'a', url, statementMs: 7_000 }], [limit])
    expect(report.targets[0]?.invariants[0]?.sample[0]?.detail).toBe('7s')
  })
})

describe('the budget', () => {
  // A replica in trouble: each rule waits, the job is killed by its runner, and nobody hears anything.
  test('ends a run in time: what had not begun is not run', async ({ database, expect }) => {
    const { url } = await database('as-found')
    let now = Date.now()
    const begun: string[] = []
    const report = await run(
      [{ name: 'a', url }],
      ['a', 'b', 'c'].map((id) => fine({ id })),
      {
        budgetMs: 50_000,
        surroundings: { ...impatient(), now: () => now },
        onProgress: ({ rule }) => {
          begun.push(rule)
          if (rule === 'b') now += 50_000
        },
      },
    )
    expect(statuses(report)).toEqual(['a: pass', 'b: not_run', 'c: not_run'])
    expect(report.targets[0]?.invariants[1]?.problem).toContain('the budget of 50 s was used up')
    expect(report).toMatchObject({ exit: 2, planned: 3, executed: 1 })
    expect(begun).toEqual(['a', 'b', 'c'])
  })

  test('has no room for a retry that would end after it', async ({ expect }) => {
    const surroundings = impatient()
    const report = await run([{ name: 'a', url: 'postgres://a@127.0.0.1:1/app' }], [fine()], {
      budgetMs: 4_000,
      surroundings,
    })
    expect(surroundings.waits).toEqual([])
    expect(report.exit).toBe(2)
  })
})

describe('the second look', () => {
  const FLOWS = 'create table public.flow (n int); insert into public.flow values (1), (2), (3)'
  const flow = (change: Partial<Invariant> = {}) =>
    rule({
      id: 'flow',
      population: ONE,
      settleMs: 900_000,
      sql: violation(
        { subject_id: 'f.n::text', expected: '10::numeric', actual: 'f.n * 0.5', subject_type: `'user'` },
        `from public.flow as f where current_setting('audit.horizon') <> ''`,
      ).replace(`'user' as`, `'user'::text as`),
      ...change,
    })
  const looks = (
    url: string,
    between: string,
    rules: readonly Invariant[],
    more: Partial<AuditOptions> = {},
  ) => {
    const surroundings = impatient({}, () => execute(url, between))
    return run([{ name: 'a', url }], rules, { confirmAfterMs: 60_000, surroundings, ...more })
  }

  test.for([
    [
      'nothing changed',
      'select 1',
      { status: 'fail', violations: 3, users: 3, impact: '27.0', transient: 0 },
    ],
    [
      'some settled',
      'delete from public.flow where n = 2',
      { status: 'fail', violations: 2, users: 2, impact: '18.0', transient: 1 },
    ],
    [
      'all settled',
      'delete from public.flow',
      { status: 'transient', violations: 0, users: 0, impact: '0', transient: 3 },
    ],
    // What came in since is not confirmed: it waits for the next run.
    [
      'others came',
      'update public.flow set n = n + 1',
      { status: 'fail', violations: 2, users: 2, impact: '17.5', transient: 1 },
    ],
  ] as const)('keeps what both looks saw: %s', async ([, between, expected], { database, expect }) => {
    const { url } = await database('as-found')
    await execute(url, FLOWS)
    const report = await looks(url, between, [flow()])
    expect(report.targets[0]?.invariants[0]).toMatchObject(expected)
  })

  test('counts where there are too many to compare', async ({ database, expect }) => {
    const { url } = await database('as-found')
    await execute(
      url,
      'create table public.flow (n int); insert into public.flow select generate_series(1, 500)',
    )
    const report = await looks(url, 'delete from public.flow where n > 300', [flow()])
    expect(report.targets[0]?.invariants[0]).toMatchObject({
      status: 'fail',
      mass: true,
      violations: 300,
      transient: 200,
    })
  })

  // A snapshot can't show half a transaction: what commits together needs no second look, and gets none.
  test('is not for facts that commit together, nor for scenarios', async ({ database, expect }) => {
    const { url } = await database('as-found')
    await execute(url, FLOWS)
    const atomic = flow({ settleMs: 0 })
    expect((await looks(url, 'delete from public.flow', [atomic])).exit).toBe(1)
    expect((await looks(url, 'delete from public.flow', [flow()], { settle: false })).exit).toBe(1)
  })

  test('has the same horizon as the first', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const sql = violation({ subject_id: `current_setting('audit.horizon')` })
    const report = await looks(url, 'select 1', [flow({ sql })])
    expect(report.targets[0]?.invariants[0]).toMatchObject({ status: 'fail', violations: 1, transient: 0 })
  })

  test('that the budget has no room for leaves the rule not run', async ({ database, expect }) => {
    const { url } = await database('as-found')
    await execute(url, FLOWS)
    const report = await looks(url, 'select 1', [flow()], { budgetMs: 59_000 })
    expect(report.targets[0]?.invariants[0]).toMatchObject({
      status: 'not_run',
      problem: expect.stringContaining('has no room for the second, 60 s later'),
    })
    expect(report.exit).toBe(2)
  })

  test('that could not be made leaves the rule unjudged', async ({ database, expect }) => {
    const { url } = await database('as-found')
    await execute(url, FLOWS)
    const report = await looks(url, 'drop table public.flow', [flow()])
    expect(report.targets[0]?.invariants[0]).toMatchObject({
      status: 'error',
      problem: expect.stringMatching(
        /^violations at the first look, and the second could not be made: .*42P01/,
      ),
    })
  })
})

describe('an interruption', () => {
  // The client is gone and the server computes on, for nobody: on a replica, until a conflict or its limit.
  test('ends the audit and its statement on the server', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const stop = new AbortController()
    const slow = rule({ population: 'select count(*) from generate_series(1, 2000000000) as g', id: 'slow' })
    const running = () =>
      select(
        url,
        `select query from pg_stat_activity where application_name like 'token-audit/%/slow' and state = 'active'`,
      )
    const ended = run([{ name: 'a', url }], [slow], { signal: stop.signal }).catch((error: unknown) => error)
    await until(async () => (await running()).length === 1)
    stop.abort(new Error('Ctrl-C'))
    expect(await ended).toMatchObject({ message: 'Ctrl-C' })
    await until(async () => (await running()).length === 0)
  })
})

/** Polls until it holds; a test that waits in vain ends by its own time limit. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
