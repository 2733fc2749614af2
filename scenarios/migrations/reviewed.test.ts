import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, vi } from 'vitest'
import { differences } from '../../fixtures/migrations/differences.ts'
import { toCsv } from '../../fixtures/migrations/reviewed.ts'
import { migrate } from '../../fixtures/migrations/run.ts'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import { command } from './cli.ts'
import { test as base } from './test.ts'

/** Several batches, and more lines than a pipe holds. */
const USERS = 3_000

/** A unified database of many users, each with 100 tokens from nowhere and some use, and a folder for their file. */
const test = base.extend('many', async ({ asFound: { database, found }, onTestFinished }) => {
  await found.db.query(
    `insert into auth.users (id)
     select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid from generate_series(1, ${USERS}) as n`,
  )
  await found.db.query(
    `insert into public.user_profiles (user_id, vibe_assistant_tokens_remaining, vibe_assistant_tokens_used)
     select id, 70, 30 from auth.users`,
  )
  await found.db.query(
    `insert into public.token_usage (user_id, action_type, model_used, tokens_used)
     select id, 'chat_conversation', 'gpt-5', 30 from auth.users`,
  )
  await migrate(parseTarget(database.url), 'unify')
  const folder = await mkdtemp(join(tmpdir(), 'reviewed-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return { database, found, folder, file: join(folder, 'lines.csv') }
})

// Would catch: a user lost or told twice where one batch ends and the next begins, and lines posted that were struck out.
test('a file of thousands, half of its lines struck out and some edited, is posted as it was reviewed', async ({
  many: { database, found, file },
}) => {
  const target = parseTarget(database.url)
  const listed = await command('differences', '--database', database.url, '--csv', file)
  expect(listed).toMatchObject({ code: 0, err: '' })
  expect(listed.out.match(/^user /gm)).toHaveLength(USERS)
  const csv = await readFile(file, 'utf8')
  expect(csv).toBe(toCsv(await differences(target)))

  const [header = '', ...lines] = csv.trimEnd().split('\n')
  expect(lines).toHaveLength(USERS)
  const kept = lines.flatMap((line, i) => {
    if (i % 2 === 1) return []
    return i % 3 === 0 ? line.replace(',admin_grant,100,', ',admin_grant,60,') : line
  })
  const balances = await found.balances()
  const before = await found.everything()
  const foreign = kept.map((line, i) =>
    i % 2 === 1 ? line.replace(/[^,@]+@\w+$/, 'other@0123456789ab') : line,
  )
  await writeFile(file, `${[header, ...foreign].join('\n')}\n`)
  const refused = await command('adjust', '--database', database.url, '--file', file)
  expect(refused).toMatchObject({ code: 2, out: '' })
  expect(refused.err).toMatch(
    /nothing was written: line 3: made for other@0123456789ab, this is .*; and 730 more\n$/,
  )
  expect(await found.everything()).toEqual(before)

  await writeFile(file, `${[header, ...kept].join('\n')}\n`)
  const posted = await command('adjust', '--database', database.url, '--file', file)
  expect(posted).toMatchObject({ code: 0, err: '' })
  expect(posted.out).toMatch(
    /posted 1,500 lines for 1,500 users\n.*1,500 rows, 130,000 tokens\nleft: 2,000 users/,
  )
  expect(await found.balances()).toEqual(balances)
  const left = await differences(target)
  expect(
    Object.fromEntries(
      [...Map.groupBy(left.findings, ({ difference }) => difference)].map(([d, its]) => [
        String(d),
        its.length,
      ]),
    ),
  ).toEqual({ 100: 1_500, 40: 500 })
})

// Would catch: half a file that passes for the whole, is reviewed and posted.
test('a run that is cut short leaves no file', async ({ many: { database, found, folder, file } }) => {
  const child = spawn(
    process.execPath,
    ['scripts/migrate.ts', 'differences', '--database', database.url, '--csv', file],
    { cwd: join(import.meta.dirname, '../..') },
  )
  const err = text(child.stderr)
  const code = new Promise((resolve) => child.on('close', resolve))
  // Nobody reads yet, so it waits, midway, until somebody does.
  await vi.waitFor(async () => {
    const { rows } = await found.db.query(
      `select pg_terminate_backend(pid) as ended from pg_stat_activity
       where datname = current_database() and application_name = 'token-ledger-migrate'
         and state = 'idle in transaction' and clock_timestamp() - state_change > interval '300 milliseconds'`,
    )
    expect(rows).toEqual([{ ended: true }])
  }, 10_000)
  expect(await readdir(folder)).toEqual(['lines.csv.part'])
  child.stdout.resume()
  expect(await code).toBe(2)
  // Whether the reason is read or only the broken connection seen, is a matter of the moment.
  expect(await err).toMatch(
    /^migrate: database \S+ on \S+: the connection (failed|was ended by the server) \(.*\), nothing was written: .*\n$/,
  )
  expect(await readdir(folder)).toEqual([])
})
