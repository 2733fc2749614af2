import { copyFile, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'vitest'
import { runScript } from '../support/run-script.ts'
import { test } from '../support/test.ts'

const ROOT = join(import.meta.dirname, '../..')
const AS_FOUND = join(ROOT, 'fixtures/schema/as-found.sql')

/** The schema as it was found, in a folder of migrations, and what a next migration does to it. */
async function migrations(next?: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'migrations-'))
  await copyFile(AS_FOUND, join(folder, '20250101000000_as_found.sql'))
  if (next !== undefined) await writeFile(join(folder, '20250201000000_next.sql'), next)
  return folder
}

describe('replay --schema', () => {
  test('plays the stories on a folder of migrations, and says what has no meaning on it', async ({
    expect,
  }) => {
    const folder = await migrations('drop function public.drip_tokens_28day; drop table public.token_drips;')
    const { code, out, err } = await runScript('scripts/replay.ts', [
      '--schema',
      folder,
      'pack-paid',
      'cycle-start',
    ])
    expect(err).toBe('')
    expect(out).toContain(`schema ${folder}: 2 files, stage as-found`)
    expect(out).toContain('no meaning here: story cycle-start (there is no function drip_tokens_28day)')
    expect(out).toMatch(/no meaning here: .*drip-adds-up.* \(reads public.token_drips, which is not there\)/)
    expect(out).toMatch(/no meaning here: .*guard-functions.* \(is of stage unify, retired\)/)
    expect(out).toMatch(/1 story, 6 requests, [\d.]+ s: all as told\n$/)
    expect(code).toBe(0)
  })

  // A merge that loses a value of the CHECK: the app charges, the row is refused, the error is only logged.
  test('is red where the schema loses what a story needs', async ({ expect }) => {
    const folder = await migrations(`
      alter table public.token_usage drop constraint token_usage_action_type_check;
      alter table public.token_usage add constraint token_usage_action_type_check
        check (action_type in ('admin_deduct', 'chat_conversation'));`)
    const { code, out } = await runScript('scripts/replay.ts', ['--schema', folder, 'pack-paid'])
    expect(out).toContain('red, not declared: evidence-has-grant')
    expect(code).toBe(1)
  })

  test('into a database of yours leaves that schema filled', async ({ databases, expect }) => {
    const { url } = await databases.empty()
    const { code, out } = await runScript('scripts/replay.ts', [
      '--schema',
      await migrations(),
      '--into',
      url,
      'pack-paid',
    ])
    expect(out).toContain('stage as-found')
    expect(code).toBe(0)
    const again = await runScript('scripts/replay.ts', [
      '--schema',
      await migrations(),
      '--into',
      url,
      'pack-paid',
    ])
    expect(again.err).toContain('is not empty')
    expect(again.code).toBe(3)
  })

  test.for<[string, string | undefined, readonly string[], number, string]>([
    [
      'a migration that fails',
      'select nobody;',
      [],
      2,
      '20250201000000_next.sql:1: column "nobody" does not exist',
    ],
    ['a syntax error', 'selekt 1;', [], 3, '20250201000000_next.sql:1: syntax error at or near "selekt"'],
    [
      'an app for another stage',
      undefined,
      ['--app', 'repaired'],
      3,
      '--app repaired is not written for stage as-found',
    ],
    [
      'a schema on which no story has meaning',
      'drop function public.grant_annual_tokens;',
      ['annual-start'],
      2,
      'no story has meaning on this schema',
    ],
    ['another database', 'drop table public.token_usage cascade;', [], 2, 'is this the database of the app?'],
  ])('%s is one clear line', async ([, next, args, code, says], { expect }) => {
    const ran = await runScript('scripts/replay.ts', ['--schema', await migrations(next), ...args])
    expect(ran.err).toContain(says)
    expect(ran.err.trim().split('\n')).toHaveLength(1)
    expect(ran.code).toBe(code)
  })
})

describe('invariants --schema', () => {
  test('breaks healthy rows in that schema, and tells what the database itself refuses', async ({
    expect,
  }) => {
    const folder = await migrations(
      `alter table public.user_profiles add constraint at_most check (vibe_assistant_tokens_remaining < 9000000);`,
    )
    const { code, out } = await runScript('scripts/invariants.ts', ['--schema', folder])
    expect(out).toContain('✗ as-found-annual (as-found)')
    expect(out).toContain(
      'the database itself refuses as-found-pack-doubled (A redelivered pack is granted again): at_most',
    )
    expect(code).toBe(0)
  })

  test('could not judge where the schema refuses the rows of a healthy ledger', async ({ expect }) => {
    const folder = await migrations(
      'alter table public.token_usage add constraint small check (tokens_used < 1000) not valid;',
    )
    const { code, err } = await runScript('scripts/invariants.ts', ['--schema', folder])
    expect(err).toMatch(/public\.token_usage refuses the rows of a healthy ledger: .*"small"/)
    expect(code).toBe(2)
  })
})

describe('SCHEMA=… npm test', () => {
  test('plays stories on it, and nothing else', async ({ expect }) => {
    const { code, out } = await runScript(
      'node_modules/vitest/vitest.mjs',
      ['run', '-t', 'pack-paid, in-order'],
      {
        SCHEMA: await migrations(),
        NO_COLOR: '1',
        VITEST_JUNIT: '',
      },
    )
    expect(out).toContain('the stories and the breaks are played on it; no other test is run')
    expect(out).toMatch(/Tests {2}1 passed/)
    expect(code).toBe(0)
  })

  test('stops at a schema that can’t be read', async ({ expect }) => {
    const { code, err } = await runScript('node_modules/vitest/vitest.mjs', ['run'], {
      SCHEMA: 'no/such/folder',
    })
    expect(err).toContain('no/such/folder: there is no such file or folder')
    expect(code).toBe(3)
  })
})
