import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { actionErrors, houseErrors, npmScripts, schemaErrors, shellOf } from './support/workflows.ts'

const root = resolve(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const scripts = Object.keys(JSON.parse(read('package.json')).scripts)
const ci = read('.github/workflows/ci.yml')
const nightly = read('.github/workflows/nightly-audit.yml')

// A workflow that is added later is judged too.
describe.each(readdirSync(join(root, '.github/workflows')))('%s', (name) => {
  const workflow = read(`.github/workflows/${name}`)

  test('GitHub accepts it', () => {
    expect(schemaErrors(workflow)).toEqual([])
  })

  test('it has least permissions, an end, one run at a time, and pinned actions', () => {
    expect(houseErrors(workflow)).toEqual([])
  })
})

describe('the action schema-check', () => {
  const action = read('.github/actions/schema-check/action.yml')

  test('GitHub accepts it', () => {
    expect(actionErrors(action)).toEqual([])
    expect(actionErrors(action.replace('using: composite', 'using: compost'))).not.toEqual([])
  })

  test('its actions are pinned, its scripts exist, and no input is pasted into a shell line', () => {
    for (const [, used] of action.matchAll(/\buses: (.*)/g)) expect(used).toMatch(/@[0-9a-f]{40} # v[\d.]+$/)
    expect(npmScripts(action).filter((script) => !scripts.includes(script))).toEqual([])
    const shell = (parse(action).runs.steps as { run?: string }[]).flatMap(({ run }) => run ?? [])
    expect(shell.length).toBe(3)
    expect(shell.join('\n')).not.toContain('${{')
  })
})

test('GitHub accepts the workflow that the page on schemas gives to apps', () => {
  const [, example = ''] = /```yaml\n([\s\S]*?)```/.exec(read('fixtures/schema/README.md')) ?? []
  expect(schemaErrors(`name: Schema\n${example}`)).toEqual([])
  const { jobs } = parse(example)
  const { inputs } = parse(read('.github/workflows/schema-check.yml')).on.workflow_call
  expect(Object.keys(inputs)).toEqual(expect.arrayContaining(Object.keys(jobs.schema.with)))
  const required = Object.keys(inputs).filter((name) => inputs[name].required)
  expect(Object.keys(jobs.schema.with)).toEqual(expect.arrayContaining(required))
})

describe('what is wrong in a workflow is seen', () => {
  // Each is one slip in the real file; GitHub would refuse it, or, worse for a schedule, never start it.
  test.each([
    ['a key with a slip', 'timeout-minutes:', 'timeout-minuets:', '/jobs/audit'],
    ['no runner', 'runs-on:', 'runs:', '/jobs/audit'],
    ['no such permission', 'contents: read', 'contents: reed', '/permissions'],
    ['no schedule', '- cron:', '- corn:', '/on'],
    ['no YAML', 'permissions:\n', 'permissions: [\n', 'Parse Error'],
  ])('GitHub refuses it: %s', (_, right, wrong, place) => {
    expect(nightly).toContain(right)
    expect(schemaErrors(nightly.replace(right, wrong)).join('\n')).toContain(place)
  })

  // GitHub takes all of these.
  test.each([
    [
      'what the token may do',
      'permissions:\n  contents: read\n',
      '',
      'no permissions for the whole workflow',
    ],
    ['two runs at once', 'concurrency:', 'env:', 'no concurrency for the whole workflow'],
    ['six hours', '    timeout-minutes: 20\n', '', 'no timeout-minutes for audit'],
    ['a token that may write', 'contents: read', 'contents: write', 'may write: contents: write'],
    ['forks', 'workflow_dispatch', 'pull_request_target', 'pull_request_target gives secrets to forks'],
    [
      'a tag, which can be moved',
      /@[0-9a-f]{40} # /,
      '@',
      'not pinned by SHA, with its version: actions/checkout@v6.0.2',
    ],
    [
      'no version for the reader',
      / # v6.*/,
      '',
      expect.stringMatching(/^not pinned by SHA, with its version: .*[0-9a-f]{40}$/),
    ],
  ])('we refuse it: %s', (_, right, wrong, error) => {
    expect(houseErrors(nightly.replace(right, wrong))).toEqual([error])
  })
})

describe('commands', () => {
  test.each(['.github/workflows/ci.yml', '.github/workflows/nightly-audit.yml', '.ci/run', 'README.md'])(
    'every npm script in %s exists',
    (path) => {
      const named = npmScripts(read(path))
      expect(named).not.toEqual([])
      expect(named.filter((script) => !scripts.includes(script))).toEqual([])
    },
  )

  test('a script that does not exist is seen, flags and colons or not', () => {
    expect(npmScripts('npm ci && npm test; `npm run check`, npm run --silent db:up -- --x')).toEqual([
      'test',
      'check',
      'db:up',
    ])
  })

  // Otherwise CI could be green on a command that nobody is told.
  test('CI runs the tests with the command of the README', () => {
    for (const path of ['README.md', '.ci/run', '.github/workflows/ci.yml'])
      expect(read(path)).toMatch(/\bnpm test\b/)
  })
})

describe('secrets of production', () => {
  test('only the nightly audit sees them, in its protected environment', () => {
    expect(ci).not.toContain('secrets')
    expect(nightly).toMatch(/^ {4}environment: production-audit$/m)
    expect(nightly).not.toMatch(/\bpull_request|^ {2}push:/m)
  })

  const guard = shellOf(nightly, 'The secrets are there')
  const run = (env: Record<string, string>) =>
    spawnSync('bash', ['--noprofile', '--norc', '-eo', 'pipefail', '-c', guard], {
      env: { PATH: process.env.PATH ?? '', ...env },
      encoding: 'utf8',
    })
  const targets = 'main=postgres://audit:s3cret@db.example/app\nshadow=postgres://audit:0ther@db.example/copy'

  // An unset secret is an empty string to a workflow: an audit of no targets, or one that tells nobody, would be green.
  test.each([
    [{ SLACK_WEBHOOK_URL: 'https://hooks.example' }, ['AUDIT_TARGETS']],
    [{ AUDIT_TARGETS: targets }, ['SLACK_WEBHOOK_URL']],
    [{ AUDIT_TARGETS: '', SLACK_WEBHOOK_URL: '' }, ['AUDIT_TARGETS', 'SLACK_WEBHOOK_URL']],
  ])('a missing one is a failure that names it: %j', (env, missing) => {
    const { status, stdout } = run(env)
    expect(status).toBe(1)
    for (const name of ['AUDIT_TARGETS', 'SLACK_WEBHOOK_URL'])
      expect(stdout.includes(`::error title=Nothing was audited::the secret ${name} is not set`)).toBe(
        missing.includes(name),
      )
  })

  test('no switch is a warning: the audit runs, and nobody notices the night on which it does not', () => {
    const { status, stdout } = run({ AUDIT_TARGETS: targets, SLACK_WEBHOOK_URL: 'https://hooks.example' })
    expect(status).toBe(0)
    expect(stdout).toContain(
      '::warning title=Nobody notices a missing night::the secret HEARTBEAT_URL is not set',
    )
  })

  // Whoever takes over a dependency of the audit must not be able to change the repository with it.
  test('what may write to the repository holds no secret', () => {
    expect(nightly).toContain('contents: write')
    expect(
      houseErrors(
        nightly.replace(
          '    environment: production-audit\n',
          '    environment: production-audit\n    permissions:\n      contents: write\n',
        ),
      ),
    ).toEqual(['may write: contents: write'])
    expect(houseErrors(nightly.replace(/GH_TOKEN: .*/, 'GH_TOKEN: secrets.PAT'))).toEqual([
      'may write: contents: write',
    ])
  })

  // GitHub masks the secret as a whole only: a single URL out of it would be printed.
  test.each([targets, targets.replace('\n', ' ')])(
    'every password inside the targets is masked: %j',
    (value) => {
      const { status, stdout, stderr } = run({
        AUDIT_TARGETS: value,
        SLACK_WEBHOOK_URL: 'https://hooks.example',
        HEARTBEAT_URL: 'https://ping.example',
      })
      expect({ status, stdout, stderr }).toEqual({
        status: 0,
        stdout: '::add-mask::s3cret\n::add-mask::0ther\n',
        stderr: '',
      })
    },
  )
})
