import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { pick, readBreaks, readCatalogue } from './catalogue.ts'
import { UsageError } from './errors.ts'

const SQL = `select 'user'::text as subject_type, u.user_id::text as subject_id, 'd'::text as detail,
  0::numeric as expected, 1::numeric as actual, u.created_at as occurred_at
from public.token_usage as u`

const HEADER = {
  title: 'Tokens are counted',
  severity: 'critical',
  stages: 'as-found, unify',
  why: 'Because.',
  fix: 'Count them.',
  unit: 'tokens',
  population: 'select count(*) from public.token_usage',
}

/** A file: keys of HEADER changed or, with undefined, left out. */
function file(change: Readonly<Record<string, string | undefined>> = {}, sql = SQL): string {
  const lines = Object.entries({ ...HEADER, ...change })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `-- ${key}: ${value}`)
  return `${lines.join('\n')}\n${sql}\n`
}

async function directory(files: Readonly<Record<string, string>>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'token-audit-'))
  onTestFinished(() => rm(path, { recursive: true }))
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
  return path
}

/** The problems of a catalogue, without the directory's name. */
async function problems(files: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const path = await directory(files)
  return complaints(() => readCatalogue(path), path)
}

async function complaints(work: () => Promise<unknown>, path: string): Promise<readonly string[]> {
  try {
    await work()
    return []
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    return error.problems.map((problem) => problem.replaceAll(`${path}/`, ''))
  }
}

/** The problems of one rule. */
const rule = (sql: string, change = {}) => problems({ 'a-rule.sql': file(change, sql) })

describe('a well-formed catalogue', () => {
  test('is read whole, in the order of the ids', async () => {
    const path = await directory({
      'b-rule.sql': file(
        { settle: '15m', needs: 'evidence' },
        `${SQL}
where u.created_at <= current_setting('audit.horizon')::timestamptz
  and current_setting('audit.evidence') <> ''`,
      ),
      'a-rule.sql': file(),
    })
    const { invariants } = await readCatalogue(path)
    expect(invariants.map(({ id }) => id)).toEqual(['a-rule', 'b-rule'])
    expect(invariants[0]).toEqual({
      id: 'a-rule',
      file: join(path, 'a-rule.sql'),
      ...HEADER,
      stages: ['as-found', 'unify'],
      settleMs: 0,
      needsEvidence: false,
      sql: SQL,
      line: 8,
      namesUser: false,
      functions: ['count'],
    })
    expect(invariants[1]).toMatchObject({ settleMs: 900_000, needsEvidence: true, line: 10 })
  })

  test('may go on with a value on the next line', async () => {
    const path = await directory({ 'a-rule.sql': file({ why: 'Because\n--   it is so.' }) })
    const { invariants } = await readCatalogue(path)
    expect(invariants[0]).toMatchObject({ why: 'Because it is so.', line: 9 })
  })

  // Editors leave hidden files; a rule that is passed over because of its name is one that nobody misses.
  test('has nothing but .sql files in kebab case in it', async () => {
    const path = await directory({ '.a-rule.sql.swp': 'x', 'a-rule.sql': file() })
    expect((await readCatalogue(path)).invariants).toHaveLength(1)
    await writeFile(join(path, 'b-rule.SQL'), file())
    await writeFile(join(path, 'C_Rule.sql'), file())
    await mkdir(join(path, 'more'))
    expect(await complaints(() => readCatalogue(path), path)).toEqual([
      'C_Rule.sql: the name is the id, in kebab case: a-z, 0-9 and single dashes',
      'b-rule.SQL: not a .sql file; only those may be here',
      'more: not a .sql file; only those may be here',
    ])
  })

  test('may stand in several directories, but an id is taken once', async () => {
    const [one, two] = [await directory({ 'a-rule.sql': file() }), await directory({ 'a-rule.sql': file() })]
    expect(await complaints(() => readCatalogue(one, two), one)).toEqual([
      `${two}/a-rule.sql: the id "a-rule" is taken by a-rule.sql; rename one of them`,
    ])
  })

  test('that is not there is named', async () => {
    expect(await complaints(() => readCatalogue('/no/such/place'), '/')).toEqual([
      expect.stringContaining("/no/such/place: can't be read: ENOENT"),
    ])
  })
})

describe('a header', () => {
  // Whoever skips what he doesn't know drops `setle: 15m` in silence, and the rule flags what is in flight.
  test.for([
    [
      { setle: '15m' },
      'a-rule.sql:8: unknown key "setle"; known are: title, severity, stages, why, fix, unit, population, settle, needs',
    ],
    [{ why: undefined }, 'a-rule.sql:1: key "why" is missing'],
    [{ severity: 'huge' }, 'a-rule.sql:2: severity "huge"; allowed are: critical, major, minor'],
    [
      { stages: 'as-found, unified' },
      'a-rule.sql:3: stages "unified"; allowed are: as-found, view, unify, retired',
    ],
    [{ stages: 'unify, unify' }, 'a-rule.sql:3: stages names something twice'],
    [{ stages: 'unify,' }, 'a-rule.sql:3: stages has a comma too many'],
    [{ unit: 'Tokens!' }, 'a-rule.sql:6: unit "Tokens!"; expected lower-case words, such as tokens'],
    [
      { settle: '15 minutes' },
      'a-rule.sql:8: settle "15 minutes"; expected a number and s, m, h or d, such as 15m',
    ],
    [{ needs: 'luck' }, 'a-rule.sql:8: needs "luck"; allowed are: evidence'],
    [{ fix: 'x\n-- fix: y' }, 'a-rule.sql:6: key "fix" is repeated; it is on line 5 already'],
    [
      { fix: 'x\n--y' },
      'a-rule.sql:6: not a header line: "--y"; write "-- key: value", or "--   " to go on with the line above, and leave an empty line before other comments',
    ],
    [{ population: 'select n from t' }, 'a-rule.sql:7: "t" has no schema; write public.t'],
    [{ population: 'delete from public.t' }, 'a-rule.sql:7: not a select: DeleteStmt'],
  ])('that is wrong: %o', async ([change, problem]) => {
    expect(await rule(SQL, change)).toEqual([problem])
  })

  // Below an empty line it would be a comment, and the rule would be judged without its evidence.
  test('does not go on below the query', async () => {
    expect(await rule(`\n-- needs: evidence\n${SQL}`)).toEqual([
      'a-rule.sql:9: key "needs" stands below the header; move it up',
    ])
  })

  // A settle window that nothing reads promises time that no flow gets.
  test.for([
    [{ settle: '15m' }, SQL, 'a-rule.sql:8: "-- settle: …", but audit.horizon is read nowhere'],
    [{ needs: 'evidence' }, SQL, 'a-rule.sql:8: "-- needs: evidence", but audit.evidence is read nowhere'],
    [
      {},
      `${SQL} where current_setting('audit.evidence') <> ''`,
      'a-rule.sql:8: reads audit.evidence, but the header has no "-- needs: evidence"',
    ],
    [
      {},
      `${SQL} where current_setting('audit.horizon') <> ''`,
      'a-rule.sql:8: reads audit.horizon, but the header has no "-- settle: …"',
    ],
  ] as const)('says what the query reads: %o', async ([change, sql, problem]) => {
    expect(await rule(sql, change)).toEqual([problem])
  })

  test('is complained about all at once, in every file', async () => {
    const found = await problems({
      'a-rule.sql': file({ severity: 'huge', why: undefined }),
      'b-rule.sql': file({ unit: '1' }),
    })
    expect(found).toHaveLength(3)
  })
})

describe('a query', () => {
  // A search for words finds `insert` in a comment and misses it in a function; Postgres' own parser does neither.
  test.for([
    ['is one', `${SQL}; select 1`, '10: a second statement; a file holds exactly one select'],
    ['has no semicolon', `${SQL};`, '10: a semicolon; leave it out, the query is used as a sub-select'],
    ['is not empty', '', '8: there is no query'],
    ['is not a comment', '\n/* nothing */', '8: there is no query'],
    ['is well-formed', 'select\nfrom where', '9: syntax error at or near "where"'],
    ['is whole', `${SQL}) as v; drop table public.t; select (1`, '10: syntax error at or near ")"'],
    [
      'does not leave its parenthesis',
      `${SQL}) x union all select * from (${SQL}`,
      '10: syntax error at or near ")"',
    ],
    [
      'does not comment out what follows',
      `${SQL} /* and so on`,
      '10: unterminated /* comment at or near "/* and so on\n"',
    ],
    ['has no zero byte', `${SQL}\0; drop table public.t`, '10: a zero byte'],
    ['does not insert', 'insert into public.t values (1)', '8: not a select: InsertStmt'],
    ['does not explain', `explain ${SQL}`, '8: not a select: ExplainStmt'],
    [
      'does not write in a CTE',
      `with w as (\ndelete from public.t returning 1)\n${SQL}`,
      '9: a write (delete); a rule only reads',
    ],
    [
      'does not make a table',
      SQL.replace('from', 'into public.t from'),
      '10: a write (select into); a rule only reads',
    ],
    ['takes no locks', `${SQL} for update`, '8: for update or for share; a rule takes no locks'],
    ['names columns', 'select * from public.t', '8: select *; name the columns'],
    [
      'names schemas',
      SQL.replace('public.', ''),
      '10: "token_usage" has no schema; write public.token_usage',
    ],
    [
      'does not bound its rows',
      `${SQL} limit 5`,
      '8: limit or offset on the whole query: the number of violations would be a lie',
    ],
    ['looks at all rows', `${SQL} tablesample system (1)`, '10: tablesample; a rule looks at all rows'],
    [
      'takes no parameters',
      `${SQL} where u.id = $1`,
      '10: a parameter ($1); a rule reads settings, it takes no parameters',
    ],
    [
      'knows no now()',
      `${SQL} where u.created_at < now()`,
      "10: now() reads the clock; time is current_setting('audit.as_of') and current_setting('audit.horizon')",
    ],
    [
      'knows no current_date',
      `${SQL} where u.created_at < current_date`,
      "10: current_date; a rule knows no clock but current_setting('audit.as_of'), and no user",
    ],
    [
      "knows no 'now'",
      `${SQL} where u.created_at < 'now'::timestamptz`,
      "10: 'now' reads the clock; time is current_setting('audit.as_of')",
    ],
    [
      "knows no timestamp 'today'",
      `${SQL} where u.created_at < timestamp 'today'`,
      "10: 'today' reads the clock; time is current_setting('audit.as_of')",
    ],
    // Without a cast the column's type makes a time of it all the same.
    [
      "knows no bare 'tomorrow'",
      `${SQL} where u.created_at < ' Tomorrow 04:05 UTC'`,
      "10: ' Tomorrow 04:05 UTC' reads the clock; time is current_setting('audit.as_of')",
    ],
    [
      "knows no 'now' in a range",
      `${SQL} where u.created_at <@ '[2026-01-01,now)'`,
      "10: '[2026-01-01,now)' reads the clock; time is current_setting('audit.as_of')",
    ],
    [
      'knows no age of one time',
      `${SQL} where age(u.created_at) > interval '1 day'`,
      "10: age() of one time reads the clock; give it current_setting('audit.as_of') as well",
    ],
    [
      'uses no operator of the database',
      `${SQL} where u.id operator(public.=) u.id`,
      '10: operator(public.=) is not built in; a rule calls nothing that the database defines',
    ],
    [
      'uses none beside a sub-select or an order',
      `${SQL} where u.id operator(public.=) any (select x.id from public.token_usage as x)`,
      '10: operator(public.=) is not built in; a rule calls nothing that the database defines',
    ],
    [
      'rolls no dice',
      `${SQL} where random() < 1`,
      '10: random() is random; the same database must get the same verdict',
    ],
    [
      'changes no setting',
      `${SQL} where set_config('transaction_read_only', 'off', true) <> ''`,
      '10: set_config() changes something; a rule only reads',
    ],
    ['does not sleep', `${SQL} where pg_sleep(1) is null`, '10: pg_sleep() has no place in a rule'],
    [
      'calls nothing of the database',
      `${SQL} where public.grant_token_pack(u.id) > 0`,
      '10: public.grant_token_pack() is not built in; a rule calls nothing that the database defines',
    ],
    ['casts to no float', `${SQL} where u.tokens_used::real > 0`, '10: float4 is inexact; use numeric'],
    [
      'reads no other setting',
      `${SQL} where current_setting('role') = ''`,
      '10: current_setting(role); the runner gives audit.as_of, audit.horizon, audit.evidence',
    ],
  ] as const)('%s', async ([, sql, problem]) => {
    expect(await rule(sql)).toEqual([`a-rule.sql:${problem}`])
  })

  // Bytes are not characters: the parser counts the one, editors the other.
  test('is told the line, whatever alphabet is before it', async () => {
    const sql = SQL.replace("'d'::text", "'ééé\u{1f600}日本語'::text")
    expect(await rule(`${sql}\nwhere now() > u.created_at`)).toEqual([
      expect.stringMatching(/^a-rule\.sql:11: now/),
    ])
    expect(await rule(`${sql}\nwhere oops oops`)).toEqual([expect.stringMatching(/^a-rule\.sql:11: syntax/)])
  })

  // What looks forbidden and is not: words in strings and comments, CTEs without schema, counting stars.
  test('may say what it likes in strings, and use its own CTEs', async () => {
    expect(
      await rule(`with t as materialized (
  select u.*, 'the balance now' as state, 'now(); delete from x -- ' as note /* ; drop */ from public.token_usage as u
)
select 'user' as subject_type, t.user_id::text as subject_id, format('%s', count(*)) as detail,
  0::numeric as expected, sum(t.tokens_used) as actual, max(t.created_at) as occurred_at, t.user_id
from t
where exists (select from t as other where other.id = t.id)
group by t.user_id`),
    ).toEqual([])
  })

  test.for([
    [`select 1::numeric as expected`, 5],
    [SQL.replace('as detail', 'as details'), 2],
    [SQL.replace(`'d'::text as detail`, `'d'::text`), 2],
    [SQL.replace('as detail', 'as actual'), 2],
  ] as const)('has the columns of a rule: %s', async ([sql, count]) => {
    const found = await rule(sql)
    expect(found).toHaveLength(count)
    expect(found[0]).toMatch(/^a-rule\.sql:8: column/)
  })

  test('that unites two has the columns of the first', async () => {
    expect(await rule(`${SQL}\nunion all\n${SQL}`)).toEqual([])
  })
})

describe('a break', () => {
  const BREAK = `-- title: A row is lost
-- stages: unify
-- turns-red: a-rule
-- subject: select u.id::text from public.token_usage as u where u.created_at < now() limit 1
delete from public.token_usage;
update public.token_usage set tokens_used = 1;
`

  async function broken(text: string): Promise<readonly string[]> {
    const rules = await directory({
      'a-rule.sql': file(),
      'b-rule.sql': file({ needs: 'evidence' }, `${SQL} where current_setting('audit.evidence') = ''`),
    })
    const path = await directory({ 'a-break.sql': text })
    const catalogue = await readCatalogue(rules)
    return complaints(() => readBreaks(path, catalogue), path)
  }

  test('is read whole', async () => {
    const catalogue = await readCatalogue(await directory({ 'a-rule.sql': file() }))
    const path = await directory({ 'a-break.sql': BREAK })
    expect(await readBreaks(path, catalogue)).toEqual([
      {
        id: 'a-break',
        file: join(path, 'a-break.sql'),
        title: 'A row is lost',
        stages: ['unify'],
        turnsRed: ['a-rule'],
        subject: 'select u.id::text from public.token_usage as u where u.created_at < now() limit 1',
        needsEvidence: false,
        sql: 'delete from public.token_usage;\nupdate public.token_usage set tokens_used = 1;',
      },
    ])
  })

  // A break that names no rule proves nothing, and is green for ever.
  test.for([
    [
      'names a rule',
      BREAK.replace('a-rule', 'no-rule'),
      'a-break.sql:3: turns-red names no invariant: "no-rule"',
    ],
    [
      'names evidence that its rules need',
      BREAK.replace('a-rule', 'b-rule'),
      'a-break.sql:3: "b-rule" needs evidence; add "-- needs: evidence"',
    ],
    ['is SQL', BREAK.replace('delete', 'remove'), 'a-break.sql:5: syntax error at or near "remove"'],
    ['does something', BREAK.replace(/delete.*/s, ''), 'a-break.sql:5: there is no statement'],
    [
      'leaves the transaction alone',
      BREAK.replace('delete from public.token_usage', 'commit'),
      'a-break.sql:5: begin, commit or rollback; a break runs in one transaction',
    ],
    [
      'has a subject that is a select',
      BREAK.replace(/select.*/, 'delete from x'),
      'a-break.sql:4: not a select: DeleteStmt',
    ],
    [
      'has a subject of one column',
      BREAK.replace('u.id::text', 'u.id, u.user_id'),
      'a-break.sql:4: subject selects one column: the subject ids',
    ],
    [
      'has the keys of a break',
      BREAK.replace('-- stages', '-- severity: minor\n-- stages'),
      'a-break.sql:2: unknown key "severity"; known are: title, stages, turns-red, subject, needs',
    ],
  ] as const)('%s', async ([, text, problem]) => {
    expect(await broken(text)).toEqual([problem])
  })
})

describe('--only', () => {
  const load = async () => readCatalogue(await directory({ 'a-rule.sql': file(), 'b-rule.sql': file() }))

  test('picks rules in the order of the catalogue', async () => {
    const catalogue = await load()
    expect(pick(catalogue, ['b-rule', 'a-rule', 'b-rule']).map(({ id }) => id)).toEqual(['a-rule', 'b-rule'])
    expect(pick(catalogue)).toHaveLength(2)
  })

  // A rule that was renamed, and a job that has been auditing nothing since.
  test('must name rules that are there', async () => {
    const catalogue = await load()
    expect(() => pick(catalogue, ['a-rule', 'old-rule'])).toThrow(
      '--only old-rule: there is no such invariant; known are: a-rule, b-rule',
    )
    expect(() => pick({ invariants: [] })).toThrow('the catalogue is empty: no invariant, no verdict')
  })
})
