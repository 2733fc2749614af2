import { execFile, execFileSync } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect as expectFile, inject, test as plain } from 'vitest'
import { parse } from 'yaml'
import { runScript } from '../support/run-script.ts'
import { test } from '../support/test.ts'

const ROOT = join(import.meta.dirname, '../..')
const EXAMPLES = join(ROOT, 'fixtures/examples')
const MIGRATIONS = 'supabase/migrations'
/** Enough to see a grant and AI use. */
const STORIES = 'pack-paid use'

interface Ran {
  readonly code: number
  readonly out: string
  readonly summary: string
}

/** The app's repository, on the merge commit of a pull request that brings an example. */
async function pullRequest(example: string): Promise<string> {
  const repository = await mkdtemp(join(tmpdir(), 'app-'))
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=dev', '-c', 'user.email=dev@example.com', ...args], {
      cwd: repository,
    })
  git('init', '--quiet', '--initial-branch=main')
  await cp(join(EXAMPLES, 'app'), repository, { recursive: true })
  git('add', '.')
  git('commit', '--quiet', '--message=app')
  git('switch', '--quiet', '--create', 'pull-request')
  await cp(join(EXAMPLES, example), repository, { recursive: true })
  git('add', '.')
  git('commit', '--quiet', '--message=change')
  git('switch', '--quiet', 'main')
  git('merge', '--quiet', '--no-ff', '--message=merge', 'pull-request')
  return repository
}

/** The steps of the action, as GitHub would run them after the checkout; it is installed already. */
async function runAction(repository: string, inputs: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const action = parse(await readFile(join(ROOT, '.github/actions/schema-check/action.yml'), 'utf8'))
  const temp = await mkdtemp(join(tmpdir(), 'runner-'))
  const env = {
    ...process.env,
    TEST_POSTGRES: inject('postgresUrl'),
    DOCKER_HOST: 'tcp://127.0.0.1:9',
    GITHUB_ACTIONS: 'true',
    GITHUB_ACTION_PATH: join(ROOT, '.github/actions/schema-check'),
    GITHUB_WORKSPACE: repository,
    GITHUB_STEP_SUMMARY: join(temp, 'summary.md'),
    RUNNER_TEMP: temp,
    MIGRATIONS: action.inputs.migrations.default,
    BASE: action.inputs.base.default,
    STORIES,
    ...inputs,
  }
  const step = (name: string): Promise<{ code: number; out: string }> => {
    const { run } = action.runs.steps.find((one: { name?: string }) => one.name === name)
    return new Promise((resolve) => {
      execFile('bash', ['-eo', 'pipefail', '-c', run], { cwd: repository, env }, (error, out, err) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out: out + err })
      })
    })
  }
  const { code, out } = await step('Check')
  const summary = await step('Summary')
  return { code: code || summary.code, out, summary: await readFile(join(temp, 'summary.md'), 'utf8') }
}

describe('the action, on a pull request of an app', () => {
  test('says that a harmless one does no harm', async ({ expect }) => {
    const { code, out, summary } = await runAction(await pullRequest('harmless'))
    expect(out).toContain('2 files, stage as-found')
    expect(out).toMatch(
      /AccessExclusiveLock on public\.token_usage, \d+ ms {2}supabase\/migrations\/20250301000000_notes\.sql:12/,
    )
    expect(out).toContain('stories played: 4 before, 4 after')
    expect(out).toMatch(/no harm\n$/)
    expect(out).not.toContain('::error')
    expect(summary).toMatch(/^## ✅ Schema change: no harm\n/)
    expect(code).toBe(0)
  }, 90_000)

  // A list that was written by hand on an old branch: code still emits the type, the row is refused, the balance charged.
  test('names the value that one drops, at its line, and what users would notice', async ({ expect }) => {
    const { code, out, summary } = await runAction(await pullRequest('drops-a-value'))
    const place = 'supabase/migrations/20250301000000_notes.sql'
    expect(out).toContain('public.token_usage.action_type no longer allows chat_conversation')
    expect(out).toMatch(/invariant turned red: used-counter-is-usage, in use, use \(everything twice\)/)
    expect(out).toContain(`::error file=${place},line=3,title=Schema change%3A harm::`)
    expect(summary).toMatch(/^## ❌ Schema change: harm: \d findings of harm\n/)
    expect(summary).toContain(`(\`${place}:3\`)`)
    expect(code).toBe(1)
  }, 90_000)

  test('could not judge one whose base is not there', async ({ expect }) => {
    const { code, out, summary } = await runAction(await pullRequest('harmless'), { BASE: 'HEAD^7' })
    expect(out).toContain(
      '::error title=Schema change: could not be judged::HEAD^7 has no supabase/migrations',
    )
    expect(summary).toContain('was not judged')
    expect(code).toBe(2)
  })
})

describe('check-schema', () => {
  const check = (before: string, after: string) =>
    runScript('scripts/check-schema.ts', ['--before', before, '--after', after, 'pack-paid'])

  async function folders(change: (folder: string) => Promise<unknown>): Promise<[string, string]> {
    const folder = await mkdtemp(join(tmpdir(), 'check-'))
    const [before, after] = [join(folder, 'before'), join(folder, 'after')]
    for (const one of [before, after]) {
      await mkdir(one)
      await cp(join(EXAMPLES, 'app', MIGRATIONS), one, { recursive: true })
    }
    await change(after)
    return [before, after]
  }

  test('says where a migration can’t be applied', async ({ expect }) => {
    const [before, after] = await folders((folder) =>
      writeFile(
        join(folder, '20250301000000_a.sql'),
        'create table public.a (id int);\nalter table public.b add c int;',
      ),
    )
    const { code, out } = await check(before, after)
    expect(out).toContain(
      `it can't be applied: relation "public.b" does not exist\n        ${after}/20250301000000_a.sql:2`,
    )
    expect(code).toBe(1)
  })

  // What was applied on production stays as it was; a verdict on a new text would be one on another database.
  test('does not take an old file with a new text for a change', async ({ expect }) => {
    const [before, after] = await folders(async (folder) => {
      const file = join(folder, '20250101000000_tokens.sql')
      await writeFile(file, (await readFile(file, 'utf8')).replace("'transcription',", ''))
    })
    const { code, out } = await check(before, after)
    expect(out).toContain('20250101000000_tokens.sql is there before the change, with another text')
    expect(code).toBe(1)
  }, 60_000)

  test('could not judge where the schema before the change can’t be applied', async ({ expect }) => {
    const [before, after] = await folders(async () => {})
    await writeFile(join(before, '20250102000000_a.sql'), 'select nobody')
    const { code, err } = await check(before, after)
    expect(err).toBe(`check-schema: ${before}/20250102000000_a.sql:1: column "nobody" does not exist\n`)
    expect(code).toBe(2)
  })

  test('takes no dump', async ({ expect }) => {
    const file = join(EXAMPLES, 'app', MIGRATIONS, '20250101000000_tokens.sql')
    const { code, err } = await check(file, file)
    expect(err).toContain('is a file: give a folder of migrations')
    expect(code).toBe(3)
  })
})

plain('the example application has the schema as it was found', async () => {
  const read = (path: string) => readFile(join(ROOT, path), 'utf8')
  const copy = await read(`fixtures/examples/app/${MIGRATIONS}/20250101000000_tokens.sql`)
  expectFile(copy).toBe(await read('fixtures/schema/as-found.sql'))
})
