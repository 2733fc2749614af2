import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { Client } from 'pg'
import { describe } from 'vitest'
import { type AuditOptions, audit } from '../../audits/audit.ts'
import type { Invariant } from '../../audits/catalogue.ts'
import { parseEvidence } from '../../audits/evidence.ts'
import { openHistory } from '../../audits/history.ts'
import { renderJson } from '../../audits/reports/json.ts'
import type { Report } from '../../audits/reports/report.ts'
import { renderTerminal } from '../../audits/reports/terminal.ts'
import type { Waivers } from '../../audits/waivers.ts'
import { test } from '../support/test.ts'
import {
  asRole,
  directory,
  execute,
  fatal,
  impatient,
  proxy,
  rule,
  select,
  serverThatSays,
  violation,
} from './support.ts'

const PLAIN = { color: false }
const FINE = violation({}, 'where false')
const ONE = 'select 1::bigint as n'

/** A rule that passes. */
const fine = (change: Partial<Invariant> = {}) => rule({ sql: FINE, population: ONE, ...change })

function run(
  targets: AuditOptions['targets'],
  invariants: readonly Invariant[],
  more: Partial<AuditOptions> = {},
): Promise<Report> {
  return audit({ targets, catalogue: { invariants }, surroundings: impatient(), ...more })
}

const outcomes = (report: Report) =>
  report.targets.map(({ name, problem, invariants }) => ({
    name,
    problem,
    rules: invariants.map(({ id, status }) => `${id}: ${status}`),
  }))

describe('the audit of a database', () => {
  test('says what it saw, in the shape of its schema', async ({ database, expect }) => {
    const { url: owner, name } = await database('unified')
    const url = await asRole(
      owner,
      (role) =>
        `alter role ${role} bypassrls; grant usage on schema public to ${role}; grant select on all tables in schema public to ${role}`,
    )
    const sql = violation({ subject_type: `'user'::text` }, '')
    const report = await run(
      [{ name: 'prod', url, stage: 'unify' }],
      [
        fine({ id: 'minor', severity: 'minor' }),
        fine(),
        rule({ id: 'red', sql, population: ONE, unit: 'rows' }),
      ],
    )
    expect(report).toMatchObject({
      version: 2,
      run_id: expect.stringMatching(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/),
      verdict: 'violations',
      exit: 1,
      fail_on: 'major',
      evidence: null,
      planned: 3,
      executed: 3,
      targets: [
        {
          name: 'prod',
          url: expect.stringMatching(new RegExp(`^postgres://audit_${name}@.*/${name}$`)),
          server: expect.stringMatching(/^PostgreSQL 17\./),
          standby: false,
          stage: 'unify',
          as_of: report.as_of,
          problem: null,
          // Critical first: what is cut off at the end is the least.
          invariants: [
            {
              id: 'a-rule',
              status: 'pass',
              population: 1,
              violations: 0,
              users: 0,
              impact: '0',
              attempts: 1,
              psql: null,
            },
            {
              id: 'red',
              status: 'fail',
              violations: 1,
              users: 1,
              impact: '3',
              psql: expect.stringContaining("token_usage where user_id = '1'"),
              sample: [
                {
                  // sha256 of red, user and 1 with NUL between them: what history and waivers are keyed by.
                  fingerprint: '022a5d8faa95c08af43e05a2e21f69b8437251feb36c08d743552438b8a70cb4',
                  subject_type: 'user',
                  subject_id: '1',
                  user_id: '1',
                  expected: '5',
                  actual: '2',
                },
              ],
            },
            { id: 'minor', status: 'pass' },
          ],
        },
      ],
    })
    const schema = await readFile(
      join(import.meta.dirname, '../../audits/reports/report.schema.json'),
      'utf8',
    )
    const check = new Ajv2020({ validateFormats: false }).compile(JSON.parse(schema))
    check(JSON.parse(renderJson(report)))
    expect(check.errors).toBeNull()
    expect(renderJson(report)).not.toContain('geheim')
  })

  // now() of the runner, or of each rule: a fact between the two is judged by half.
  test("has one moment, the server's, and a horizon before it", async ({ database, expect }) => {
    const { url } = await database('as-found')
    const times = violation({
      detail: `current_setting('audit.as_of') || ' ' || current_setting('audit.horizon')`,
    })
    const given = [rule({ sql: times, settleMs: 3_600_000, population: ONE })]
    const at = async (settle: boolean) => {
      const report = await run([{ name: 'a', url }], given, { settle })
      const detail = report.targets[0]?.invariants[0]?.sample[0]?.detail ?? ''
      const [asOf = '', horizon = ''] = detail.split(' ')
      // The rule runs after the run has begun: no row of its snapshot may look like one from the future.
      expect(asOf > (report.as_of ?? '')).toBe(true)
      return Date.parse(report.as_of ?? '') - Date.parse(horizon)
    }
    expect(await at(true)).toBe(3_600_000)
    expect(await at(false)).toBe(0)
  })
})

describe('a rule', () => {
  // "0 rows" of an empty table, or of the wrong database, is not "all is well".
  test('that had nothing to look at is vacuous, and no verdict', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const report = await run([{ name: 'a', url }], [rule({ sql: FINE, severity: 'minor' })])
    expect(outcomes(report)[0]?.rules).toEqual(['a-rule: vacuous'])
    expect(report.exit).toBe(2)
  })

  // Rows below --fail-on, or waived, would otherwise make a green of an empty table.
  test('that found something where there is nothing is vacuous too, and shows it', async ({
    database,
    expect,
  }) => {
    const { url } = await database('as-found')
    const report = await run([{ name: 'a', url }], [rule({ severity: 'minor' })])
    expect(outcomes(report)[0]?.rules).toEqual(['a-rule: vacuous'])
    expect(report).toMatchObject({ verdict: 'could_not_judge', exit: 2 })
    expect(renderTerminal(report, PLAIN)).toContain('1 violation')
  })

  // A lost table hides behind one row that is waived or minor; and once it was seen, the loss would be the new normal.
  test('whose table lost more than half is vacuous night by night, whatever it found in the rest', async ({
    database,
    expect,
  }) => {
    const { url } = await database('as-found')
    await execute(url, 'create table thing as select n from generate_series(1, 100) as n')
    const counted = rule({
      sql: violation({}, 'from public.thing where n = 1'),
      population: 'select count(*) from public.thing',
    })
    const kept = await directory({})
    const night = async (severity: 'critical' | 'minor', waivers: Waivers = []) => {
      const history = await openHistory(kept, { now: new Date(), waitMs: 0, targets: ['a'] })
      try {
        const report = await run([{ name: 'a', url }], [{ ...counted, severity }], { history, waivers })
        await history.append(report, null, waivers)
        return { exit: report.exit, rules: outcomes(report)[0]?.rules, text: renderTerminal(report, PLAIN) }
      } finally {
        await history.close()
      }
    }
    const waiver = {
      key: 'a-rule',
      place: 'waivers.yml:1',
      invariant: 'a-rule',
      ticket: 'T-1',
      expires: '9999-12-31',
      maxRows: 1,
      maxImpact: '5',
    }
    expect(await night('minor')).toMatchObject({ exit: 0, rules: ['a-rule: fail'] })
    await execute(url, 'delete from thing where n > 40')
    expect(await night('critical', [waiver])).toMatchObject({ exit: 2, rules: ['a-rule: vacuous'] })
    for (const severity of ['minor', 'critical'] as const) {
      const { exit, rules, text } = await night(severity)
      expect({ exit, rules }).toEqual({ exit: 2, rules: ['a-rule: vacuous'] })
      expect(text).toMatch(/it looked at 40, and at 100 when it was last judged.*1 violation, 3 tokens/s)
    }
  })

  // One broken file must not take the night with it, nor be a warning.
  test('that can not be evaluated is an error, and hides no other', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const report = await run(
      [{ name: 'a', url }],
      [
        fine({ id: 'broken', severity: 'minor', sql: violation({}, 'from public.nowhere') }),
        fine(),
        rule({ id: 'red', population: ONE }),
      ],
    )
    expect(outcomes(report)[0]?.rules).toEqual(['a-rule: pass', 'red: fail', 'broken: error'])
    expect(report).toMatchObject({ verdict: 'could_not_judge', exit: 2, planned: 3, executed: 3 })
  })

  test('without meaning at the stage is listed, and not run', async ({ database, expect }) => {
    const { url } = await database('view')
    const report = await run([{ name: 'a', url }], [fine({ id: 'later', stages: ['unify'] }), fine()])
    expect(report.targets[0]).toMatchObject({ not_applicable: ['later'], invariants: [{ id: 'a-rule' }] })
    expect(report.exit).toBe(0)
  })

  test('that needs evidence is listed when there is none, and that is no failure', async ({
    database,
    expect,
  }) => {
    const { url } = await database('as-found')
    const money = fine({
      id: 'money',
      needsEvidence: true,
      sql: violation({ detail: `current_setting('audit.evidence')` }),
    })
    const blind = await run([{ name: 'a', url }], [money, fine()])
    expect(blind.targets[0]).toMatchObject({ needs_evidence: ['money'], invariants: [{ id: 'a-rule' }] })
    expect(blind).toMatchObject({ exit: 0, evidence: null })

    const file = { version: 1, livemode: true, covers: [{ kind: 'trial', from: null, to: null }] }
    const evidence = parseEvidence(JSON.stringify(file), 'e.json')
    const seeing = await run([{ name: 'a', url }], [money, fine()], { evidence })
    expect(seeing).toMatchObject({ exit: 1, evidence: ['trial'] })
    expect(seeing.targets[0]?.invariants[0]?.sample[0]?.detail).toBe(
      '{"covers":{"trial":{"from":null,"to":null,"unearned_from":null}},"entitlements":[],"refused":[]}',
    )
  })

  test.for([
    ['has no meaning at the stage', fine({ stages: ['retired'] })],
    ['needs evidence that there is not', fine({ needsEvidence: true })],
  ] as const)('that is the only one and %s leaves nothing to say', async ([, only], { database, expect }) => {
    const { url } = await database('as-found')
    const report = await run([{ name: 'a', url }], [only])
    expect(outcomes(report)[0]?.problem).toBe('no rule of this run can be judged at stage as-found')
    expect(report).toMatchObject({ verdict: 'could_not_judge', exit: 2, planned: 0, executed: 0 })
  })

  test('that is named and not there, or a catalogue without rules, runs nothing', async ({
    database,
    expect,
  }) => {
    const { url } = await database('as-found')
    await expect(run([{ name: 'a', url }], [fine()], { only: ['old-rule'] })).rejects.toThrow(
      '--only old-rule',
    )
    await expect(run([{ name: 'a', url }], [])).rejects.toThrow('the catalogue is empty')
    expect((await run([], [fine()])).exit).toBe(2)
  })
})

describe('the stage', () => {
  test.for([
    ['as-found', 'as-found'],
    ['view', 'view'],
    ['unify', 'unified'],
  ] as const)('%s is read from the database', async ([stage, revision], { database, expect }) => {
    const { url } = await database(revision)
    const report = await run([{ name: 'a', url }], [fine()])
    expect(report.targets[0]?.stage).toBe(stage)
  })

  // A migration that was rolled back: without a pin, the list of rules gets shorter and the night stays green.
  test('that is another than the pinned one stops everything', async ({ database, expect }) => {
    const { url } = await database('view')
    const report = await run([{ name: 'a', url, stage: 'unify' }], [fine(), rule({ id: 'red' })])
    expect(outcomes(report)).toEqual([
      {
        name: 'a',
        problem:
          'this database is at stage view, and it must be at unify: was a migration rolled back, or is it another database?',
        rules: ['a-rule: not_run', 'red: not_run'],
      },
    ])
    expect(report).toMatchObject({ exit: 2, planned: 2, executed: 0 })
  })

  test.for([
    [
      'the column without its record',
      'unified',
      `delete from public.token_ledger_stage where stage = 'unify'`,
      "says 'view', but column public.token_usage.grant_key is there",
    ],
    [
      'the record without its view',
      'view',
      'drop view public.token_ledger',
      "says 'view', but view public.token_ledger is missing",
    ],
    ['no app at all', 'empty', '', 'there is no table public.token_usage: is this the database of the app?'],
  ] as const)(
    "that can't be told stops everything: %s",
    async ([, source, sql, why], { database, expect }) => {
      const { url } = await database(source)
      await execute(url, sql)
      const report = await run([{ name: 'a', url }], [fine()])
      const [only] = outcomes(report)
      expect(only?.problem).toContain("the stage of this database can't be told: ")
      expect(only?.problem).toContain(why)
      expect(only?.rules).toEqual(['a-rule: not_run'])
      expect(report.exit).toBe(2)
    },
  )

  // RLS is on for the table that records the stages: its rows would be gone, and with them half of the rules.
  test.for([
    [
      'is filtered',
      (role: string) => `grant select on all tables in schema public to ${role}`,
      'row-level security',
    ],
    ['may not read it', (role: string) => `alter role ${role} bypassrls`, 'permission denied'],
  ] as const)("can't be told by a role that %s", async ([, grants, why], { database, expect }) => {
    const { url } = await database('view')
    const limited = await asRole(url, (role) => `grant usage on schema public to ${role}; ${grants(role)}`)
    const [only] = outcomes(await run([{ name: 'a', url: limited }], [fine()]))
    expect(only?.problem).toContain("public.token_ledger_stage can't be read")
    expect(only?.problem).toContain(why)
  })
})

describe('a target that is lost', () => {
  const lostBeside = async (url: string, healthy: string) =>
    outcomes(
      await run(
        [
          { name: 'lost', url },
          { name: 'well', url: healthy },
        ],
        [fine()],
        { surroundings: impatient({ connectMs: 500 }) },
      ),
    )

  const gone = (port: number, password = 's3cret-99') => `postgres://audit:${password}@127.0.0.1:${port}/app`

  // The first failure that ends the run, and with it every other target.
  test.for([
    [
      'refuses its password',
      fatal('28P01', 'password authentication failed for user "audit"'),
      'password authentication failed for user "audit" (28P01): check user',
    ],
    [
      'has no connection left',
      fatal('53300', 'sorry, too many clients already'),
      'sorry, too many clients already (53300)',
    ],
    ['is starting up', fatal('57P03', 'the database system is starting up'), '(57P03)'],
    [
      'has no such database',
      fatal('3D000', 'database "app" does not exist'),
      'check the database in the URL',
    ],
    [
      'asks to log in as the driver never heard of',
      Buffer.from('R\0\0\0\x08\0\0\0\x63', 'latin1'),
      'Unknown',
    ],
    ['is no Postgres', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), ''],
  ] as const)('because it %s does not hide another', async ([, says, why], { database, expect }) => {
    const { url } = await database('as-found')
    const [lost, well] = await lostBeside(gone(await serverThatSays(says)), url)
    expect(lost?.problem).toContain(why)
    expect(lost?.problem).not.toContain('s3cret')
    expect(lost?.rules).toEqual(['a-rule: not_run'])
    expect(well).toEqual({ name: 'well', problem: null, rules: ['a-rule: pass'] })
  })

  // An exception of ours that nobody foresaw, at one target, would be silence about all.
  test('because the audit itself breaks there does not hide another', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const breaking = {
      ...impatient(),
      random: () => {
        throw new RangeError('Invalid time value')
      },
    }
    const targets = [
      { name: 'lost', url: gone(1) },
      { name: 'well', url },
    ]
    const report = await run(targets, [fine()], { surroundings: breaking })
    const why = 'the audit itself broke: Invalid time value: this is a bug of the audit'
    expect(outcomes(report)).toEqual([
      { name: 'lost', problem: why, rules: ['a-rule: not_run'] },
      { name: 'well', problem: null, rules: ['a-rule: pass'] },
    ])
    expect(report.exit).toBe(2)
  })

  test('because nobody listens is tried twice', async ({ expect }) => {
    const surroundings = impatient()
    const report = await run([{ name: 'a', url: gone(1) }], [fine()], { surroundings })
    expect(outcomes(report)[0]?.problem).toBe(
      'connect ECONNREFUSED 127.0.0.1:1: check host and port in the URL, and whether this machine may reach them',
    )
    expect(surroundings.waits).toEqual([5_000])
    expect(report).toMatchObject({ verdict: 'could_not_judge', exit: 2 })
  })

  // A firewall that swallows: without a limit the audit hangs until the workflow is killed, and nobody is told.
  test('because it never answers is given up', async ({ expect }) => {
    const port = await serverThatSays(Buffer.alloc(0))
    const surroundings = impatient({ connectMs: 200 })
    const [only] = outcomes(await run([{ name: 'a', url: gone(port) }], [fine()], { surroundings }))
    expect(only?.problem).toContain('timeout expired: check host and port')
  })

  // 25 rules that each wait for a server that is gone take the whole night.
  test('in the middle leaves the rest not run', async ({ database, expect }) => {
    const { url } = await database('as-found')
    await execute(url, 'create view public.last as select pg_terminate_backend(pg_backend_pid()) as ended')
    const way = await proxy(url)
    const surroundings = impatient({}, async () => way.cut())
    const invariants = [
      fine({ id: 'first' }),
      fine({ id: 'second', sql: violation({ detail: 'ended::text' }, 'from public.last') }),
      fine({ id: 'third' }),
      fine({ id: 'fourth' }),
    ]
    const report = await run([{ name: 'a', url: way.url }], invariants, { surroundings })
    expect(report).toMatchObject({ exit: 2, planned: 4, executed: 2 })
    expect(outcomes(report)[0]?.rules).toEqual([
      'first: pass',
      'second: error',
      'third: not_run',
      'fourth: not_run',
    ])
    expect(report.targets[0]?.invariants[3]?.problem).toContain(
      'the connection was lost before: connect ECONNREFUSED',
    )
  })
})

// Whoever sees a long statement on the replica must be able to tell whose it is.
test('a run is named on the server, with its rule', async ({ database, expect }) => {
  const { url } = await database('as-found')
  const holder = new Client({ connectionString: url })
  await holder.connect()
  await holder.query('begin; lock table public.token_usage')
  const running = run([{ name: 'a', url }], [rule({ id: 'waiting' })])
  const waiting = `select application_name from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`
  let seen: unknown
  while (seen === undefined) seen = (await select(url, waiting))[0]?.application_name
  await holder.end()
  const report = await running
  expect(seen).toBe(`token-audit/${report.run_id.slice(-8)}/waiting`)
})
