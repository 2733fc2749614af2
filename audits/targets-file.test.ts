import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { UsageError } from './errors.ts'
import { readTargets } from './targets-file.ts'

const URLS = {
  EU_URL: 'postgres://audit:s3cret@eu.example.com/app',
  US_URL: 'postgres://audit:s3cret@us.example.com/app',
}

async function read(text: string, env: Readonly<Record<string, string>> = URLS) {
  const home = await mkdtemp(join(tmpdir(), 'token-audit-'))
  onTestFinished(() => rm(home, { recursive: true }))
  const path = join(home, 'targets.yml')
  await writeFile(path, text)
  try {
    return { targets: await readTargets(path, env, ['overdraft', 'drip-adds-up']) }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    return { problems: error.problems.map((problem) => problem.replace(path, 'targets.yml')) }
  }
}

const EU = 'targets:\n  - name: eu\n    url-from: EU_URL\n'

describe('a targets file', () => {
  // The parser finds it when it follows the alias, after it has said that all is well.
  test.for([
    ['without its anchor', 'targets:\n  - *eu\n', 'Unresolved alias'],
    [
      'that would fill the memory',
      `a: &a [x, x, x, x, x, x, x, x, x, x]\n${['b', 'c', 'd']
        .map((name, index) => `${name}: &${name} [${Array(10).fill(`*${'abc'[index]}`).join(', ')}]\n`)
        .join('')}targets: *d\n`,
      'Excessive alias count',
    ],
  ] as const)('with an alias %s is refused', async ([, text, why]) => {
    expect((await read(text)).problems).toEqual([expect.stringMatching(`^targets.yml.*${why}`)])
  })

  test('says what each target must be, what it may take, and what is left out', async () => {
    const { targets } = await read(`# production
targets:
  - name: eu
    url-from: EU_URL
    stage: unify
    database: postgres
    system: "7561234567890123456"
    statement-timeout: 45s
    skip:
      - invariant: overdraft
        reason: 'accepted until 2027, #12'
  - { name: us, url-from: US_URL }
`)
    expect(targets).toEqual([
      {
        name: 'eu',
        url: URLS.EU_URL,
        stage: 'unify',
        database: 'postgres',
        system: '7561234567890123456',
        statementMs: 45_000,
        skip: [{ id: 'overdraft', reason: 'accepted until 2027, #12' }],
      },
      { name: 'us', url: URLS.US_URL },
    ])
  })

  // A pin that was misspelled pins nothing, and nobody notices.
  test.for([
    ['nothing', '', ['targets.yml:1: Invalid input: expected object, received undefined']],
    ['no target', 'targets: []', ['targets.yml:1: targets: no target']],
    [
      'no YAML',
      'targets: [',
      ['targets.yml:1: Flow sequence in block collection must be sufficiently indented and end with a ]'],
    ],
    ['a key twice', `${EU}    name: us\n`, ['targets.yml:4: Map keys must be unique']],
    ['an unknown key', `${EU}    stages: unify\n`, ['targets.yml:2: targets.0: Unrecognized key: "stages"']],
    [
      'an unknown stage',
      `${EU}    stage: unified\n`,
      ['targets.yml:4: targets.0.stage: Invalid option: expected one of "as-found"|"view"|"unify"|"retired"'],
    ],
    [
      // YAML reads it as a number, and a number has lost its last digits.
      'a system identifier without quotes',
      `${EU}    system: 7561234567890123456\n`,
      ['targets.yml:4: targets.0.system: Invalid input: expected string, received number'],
    ],
    [
      'a URL in place of the name of a variable',
      'targets:\n  - name: eu\n    url-from: postgres://a:s3cret@eu/app\n',
      [
        'targets.yml:3: targets.0.url-from: the name of an environment variable, which holds the URL; a file in the repository is no place for it',
      ],
    ],
    [
      'a variable that is not set',
      'targets:\n  - name: eu\n    url-from: EU_URL\n  - name: us\n    url-from: ASIA_URL\n',
      ['targets.yml:5: the environment variable ASIA_URL is not set'],
    ],
    [
      'a rule that there is not',
      `${EU}    skip:\n      - { invariant: overdrafts, reason: r }\n`,
      ['targets.yml:5: there is no rule "overdrafts"; npm run invariants lists them'],
    ],
    [
      'a rule without a reason',
      `${EU}    skip:\n      - invariant: overdraft\n`,
      ['targets.yml:5: targets.0.skip.0.reason: Invalid input: expected string, received undefined'],
    ],
    [
      'a time without unit',
      `${EU}    statement-timeout: 45\n`,
      ['targets.yml:4: targets.0.statement-timeout: Invalid input: expected string, received number'],
    ],
    [
      'one database twice',
      'targets:\n  - { name: eu, url-from: EU_URL }\n  - { name: us, url-from: EU_URL }\n',
      ['targets.yml:2: target "us" is the same database as target "eu": eu.example.com:5432/app'],
    ],
  ] as const)('with %s is refused, by its line', async ([, text, problems]) => {
    expect(await read(text)).toEqual({ problems })
  })

  test('that is not there is named', async () => {
    await expect(readTargets('/nowhere/targets.yml', {}, [])).rejects.toThrow(
      "/nowhere/targets.yml can't be read (ENOENT)",
    )
  })
})
