import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { command as migrate } from './cli.ts'
import { test as base } from './test.ts'

const test = base.extend('folder', async ({ onTestFinished }) => {
  const folder = await mkdtemp(join(tmpdir(), 'migrate-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return folder
})

test('the road from the command line', async ({ asFound: { database, found }, folder }) => {
  const ann = await found.user({ balance: 100 })
  await found.annual(await found.user(), 'sub_a', 'in_1')
  const { url } = database
  const file = join(folder, 'lines.csv')

  const dry = await migrate('unify', '--database', url, '--dry-run')
  expect(dry).toMatchObject({ code: 0, err: '' })
  expect(dry.out).toMatch(/^view, then unify: what would change$/m)
  expect(dry.out).toMatch(
    /copied from token_transactions +annual_subscription_grant → subscription_grant +1 row +5,000,000 tokens/,
  )
  expect(dry.out).toMatch(/anon, authenticated may no longer DELETE, INSERT, TRUNCATE, UPDATE on token_usage/)
  expect(dry.out).toMatch(/nothing was written: transactions \d+ and \d+ were rolled back/)

  expect((await migrate('differences', '--database', url)).code).toBe(2)
  expect((await migrate('view', '--database', url)).out).toMatch(/^view: done at/m)
  expect((await migrate('unify', '--database', url)).out).toMatch(/^unify: done at/m)
  expect((await migrate('unify', '--database', url)).out).toMatch(/^unify: nothing was to do/m)

  const listed = await migrate('differences', '--database', url, '--csv', file)
  expect(listed.code).toBe(0)
  expect(listed.out.split('\n')[0]).toBe(
    `user ${ann}  balance 100  ledger 0  difference 100  default of 100 tokens  →  admin_grant 100 opening`,
  )
  expect(listed.out).toMatch(/2 users, 1 with something to mend/)
  // Would catch: a second listing that wipes out what somebody has spent a day reviewing.
  expect(await migrate('differences', '--database', url, '--csv', file)).toMatchObject({
    code: 3,
    err: `migrate: ${file} is there already: name another file\n`,
  })

  const posted = await migrate('adjust', '--database', url, '--file', file)
  expect(posted).toMatchObject({ code: 0, err: '' })
  expect(posted.out).toMatch(/posted 1 line for 1 user\n.*admin_grant .*100 tokens\nleft: nothing/)
  expect(await migrate('adjust', '--database', url, '--file', file)).toMatchObject({
    code: 2,
    err: expect.stringMatching(
      /^migrate: database \S+ on \S+: nothing was written: this file was posted before\n$/,
    ),
  })
  expect((await migrate('differences', '--database', url)).out).toMatch(/2 users: everything adds up/)
})

// Would catch: a look that replaces the view, if only to roll that back; it waits for every reader, and they for it.
test('status does not touch the view that somebody reads', async ({ asFound: { database, found } }) => {
  const { url } = database
  await found.user()
  await migrate('view', '--database', url)
  await found.db.query('begin')
  await found.db.query('select from public.token_ledger')
  expect(await migrate('status', '--database', url)).toMatchObject({ code: 0, err: '' })
  await found.db.query('rollback')
})

test('evidence is read as the audit reads it', async ({ asFound: { database, found }, folder }) => {
  const ann = await found.user()
  await found.db.query(
    `insert into public.token_usage (user_id, action_type, model_used, tokens_used, metadata)
     values ($1, 'admin_grant', 'admin', 70, '{"admin_action": true}')`,
    [ann],
  )
  const { url } = database
  const evidence = join(folder, 'evidence.json')
  const request = { id: 'req-1', user_id: ann, delta: '500', reason: 'sorry', admin_user_id: null }
  const covers = [{ kind: 'admin', from: null, to: null }]
  await writeFile(
    evidence,
    JSON.stringify({
      version: 1,
      livemode: true,
      covers,
      admin_requests: [{ ...request, requested_at: '2025-01-01T00:00:00Z' }],
    }),
  )
  await migrate('unify', '--database', url)
  const file = join(folder, 'lines.csv')
  const { out } = await migrate('differences', '--database', url, '--evidence', evidence, '--csv', file)
  expect(out).toMatch(/reverses/)
  expect(out).toMatch(/grant now: admin_grant 500 admin:req-1/)
  expect(await readFile(file, 'utf8')).toMatch(
    /^user_id,balance,ledger,difference,cause,effect,action_type,tokens,grant_key,/,
  )

  await writeFile(evidence, 'no')
  expect(await migrate('differences', '--database', url, '--evidence', evidence)).toMatchObject({
    code: 3,
    err: expect.stringMatching(/^migrate: .*evidence.json: not JSON/),
  })
})

test('wrong usage is one line and exit 3', async ({ folder }) => {
  const url = 'postgres://me:secret@127.0.0.1:1/app'
  const cases: [string[], RegExp][] = [
    [['fly'], /^migrate: unknown command 'fly'\n$/],
    [['unify'], /^migrate: required option '--database <url>' not specified\n$/],
    [['unify', '--database', url, '--fast'], /^migrate: unknown option '--fast'\n$/],
    [['unify', '--database', url, 'more'], /^migrate: too many arguments.*\n$/],
    [['view', '--database', 'app'], /^migrate: --database is no Postgres URL: give postgres:.*\n$/],
    [
      ['view', '--database', 'mysql://me:secret@h/app'],
      /^migrate: --database is no Postgres URL: give postgres:.*\n$/,
    ],
    [
      ['view', '--database', 'postgres://me:secret@h'],
      /^migrate: --database names no database on h:5432: .*\n$/,
    ],
    [
      ['adjust', '--database', url, '--file', join(folder, 'none.csv')],
      /^migrate: --file can't be read: ENOENT.*\n$/,
    ],
    [
      ['differences', '--database', url, '--evidence', join(folder, 'none')],
      /^migrate: .*none: can't be read.*\n$/,
    ],
  ]
  const runs = await Promise.all(cases.map(([args]) => migrate(...args)))
  for (const [i, { code, out, err }] of runs.entries()) {
    expect(err).toMatch(cases[i]?.[1] ?? /$^/)
    expect({ code, out }).toEqual({ code: 3, out: '' })
    expect(err).not.toContain('secret')
  }
})

test('help is no error, and names every command', async () => {
  const runs = await Promise.all([migrate('--help'), migrate('differences', '--help')])
  expect(runs.map(({ code, err }) => [code, err])).toEqual([
    [0, ''],
    [0, ''],
  ])
  for (const command of ['view', 'unify', 'differences', 'adjust']) expect(runs[0]?.out).toContain(command)
  expect(runs[1]?.out).toContain('--evidence <file>')
})

test('what can not run is one line and exit 2, and no password is in it', async ({
  asFound: { database, found },
  databases,
}) => {
  const empty = await databases.createAny('empty')
  const changed = (change: (url: URL) => void) => {
    const url = new URL(database.url)
    change(url)
    return url.href
  }
  const role = `reader_${database.name}`
  await found.db.query(`create role ${role} login password 'hidden'`)
  await found.db.query(`grant select on all tables in schema public to ${role}`)
  const asReader = changed((url) => {
    url.username = role
    url.password = 'hidden'
  })
  const cases: [string[], RegExp][] = [
    [
      ['unify', '--database', changed((url) => (url.port = '1'))],
      /the server can't be reached \(ECONNREFUSED\)/,
    ],
    [
      ['unify', '--database', changed((url) => (url.hostname = 'nowhere.invalid'))],
      /the server can't be reached/,
    ],
    [
      [
        'unify',
        '--database',
        changed((url) => Object.assign(url, { username: role, password: 'wrong-secret' })),
      ],
      /the server refuses the login .*: check user and password/,
    ],
    [['unify', '--database', changed((url) => (url.pathname = '/none'))], /there is no such database/],
    [
      ['unify', '--database', empty.url],
      /there is no table public\.customer_subscriptions, .*: is this the app's/,
    ],
    [['view', '--database', asReader], /permission denied .*: give the role that owns the tables/],
    [
      ['unify', '--database', asReader, '--dry-run'],
      /permission denied .*: give the role that owns the tables/,
    ],
    [['differences', '--database', database.url], /is not unified: run npm run migrate -- unify first/],
  ]
  try {
    // One after the other: two of them on one database would say that the other runs.
    for (const [args, says] of cases) {
      const { code, out, err } = await migrate(...args)
      expect(err).toMatch(says)
      expect(err).toMatch(/^migrate: database \S+ on \S+: .*\n$/)
      expect({ code, out }).toEqual({ code: 2, out: '' })
      expect(err).not.toMatch(/wrong-secret|hidden/)
    }
    await found.db.query(`alter database ${database.name} set default_transaction_read_only = on`)
    const readonly = await migrate('unify', '--database', database.url)
    expect(readonly).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/read-only/) })
  } finally {
    await empty.drop()
    await found.db.query(`drop owned by ${role}`)
    await found.db.query(`drop role ${role}`)
  }
})
