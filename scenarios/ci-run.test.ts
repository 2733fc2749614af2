import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'

const root = resolve(import.meta.dirname, '..')

/** As vitest writes it: a test that prints a tag, a skipped one, one that fails, and a file that can't be loaded. */
const REPORT = `<?xml version="1.0" encoding="UTF-8" ?>
<testsuites name="vitest tests" tests="5" failures="2" errors="0" time="0.01">
    <testsuite name="a.test.ts" timestamp="2026-01-01T00:00:00.000Z" hostname="h" tests="4" failures="1" errors="0" skipped="1" time="0.01">
        <testcase classname="a.test.ts" name="holds" time="0.001">
            <system-out>
&lt;testsuite name=&quot;x&quot; tests=&quot;90&quot; failures=&quot;0&quot; errors=&quot;0&quot; skipped=&quot;0&quot;&gt;
            </system-out>
        </testcase>
        <testcase classname="a.test.ts" name="holds too" time="0.001">
        </testcase>
        <testcase classname="a.test.ts" name="is for later" time="0">
            <skipped/>
        </testcase>
        <testcase classname="a.test.ts" name="breaks" time="0.001">
            <failure message="no" type="AssertionError">
            </failure>
        </testcase>
    </testsuite>
    <testsuite name="b.test.ts" timestamp="2026-01-01T00:00:00.000Z" hostname="h" tests="1" failures="1" errors="0" skipped="0" time="0">
        <testcase classname="b.test.ts" name="b.test.ts" time="0">
            <failure message="Cannot find module" type="Error">
            </failure>
        </testcase>
    </testsuite>
</testsuites>
`
const EMPTY = '<testsuites name="vitest tests" tests="0" failures="0" errors="0" time="0">\n</testsuites>\n'

interface Given {
  /** Exit codes of the three commands; 0 when left out. */
  readonly ci?: number
  readonly check?: number
  readonly test?: number
  /** The JUnit report that `npm test` writes; none when left out. */
  readonly report?: string
  /** The script beside the checkout that brings containers, and whether `docker` knows the images. */
  readonly up?: string
  readonly images?: boolean
}

/** Runs a copy of .ci/run in an empty place, where `npm` and `docker` are made up. */
function run(given: Given) {
  const place = mkdtempSync(join(tmpdir(), 'ci-run-'))
  onTestFinished(() => rmSync(place, { recursive: true }))
  const script = (path: string, ...lines: string[]) => {
    mkdirSync(dirname(join(place, path)), { recursive: true })
    writeFileSync(join(place, path), `${['#!/usr/bin/env bash', ...lines].join('\n')}\n`)
    chmodSync(join(place, path), 0o755)
  }
  mkdirSync(join(place, 'checkout/.ci'), { recursive: true })
  copyFileSync(join(root, '.ci/run'), join(place, 'checkout/.ci/run'))
  // What an earlier run left must never be counted.
  mkdirSync(join(place, 'checkout/out'))
  writeFileSync(join(place, 'checkout/out/junit.xml'), REPORT)
  writeFileSync(join(place, 'report.xml'), given.report ?? '')
  script(
    'bin/npm',
    `echo "npm $*: TEST_POSTGRES=\${TEST_POSTGRES-} SOME_SETTING=\${SOME_SETTING-}"`,
    'case "$*" in',
    `  ci) exit ${given.ci ?? 0} ;;`,
    `  'run check') exit ${given.check ?? 0} ;;`,
    `  test) ${given.report === undefined ? '' : 'cp ../report.xml "$VITEST_JUNIT";'} exit ${given.test ?? 0} ;;`,
    'esac',
  )
  script('bin/docker', `exit ${given.images ? 0 : 1}`)
  if (given.up !== undefined) script('shared/containers/up', given.up)
  const path = [join(place, 'bin'), dirname(process.execPath), process.env.PATH].join(delimiter)
  const { status, stdout } = spawnSync(join(place, 'checkout/.ci/run'), {
    cwd: '/',
    env: { PATH: path, CI: 'true' },
    encoding: 'utf8',
  })
  const lines = stdout.trimEnd().split('\n')
  return { status, lines, last: lines.at(-1) }
}

describe('the last line counts the tests, and the exit code is theirs', () => {
  const green = REPORT.replaceAll(/failures="\d"/g, 'failures="0"')

  test('all passed', () => {
    expect(run({ report: green })).toMatchObject({ status: 0, last: '4 passed, 0 failed, 1 skipped' })
  })

  // A count of vitest's test results alone would say 1 failed: a file that can't be loaded holds no test.
  test('some failed', () => {
    expect(run({ report: REPORT, test: 1 })).toMatchObject({
      status: 1,
      last: '2 passed, 2 failed, 1 skipped',
    })
  })

  test('the services of the tests did not start', () => {
    expect(run({ test: 2 })).toMatchObject({ status: 2, last: '0 passed, 0 failed, 0 skipped' })
  })

  // Without these two, an empty selection of tests would be green.
  test.each([[EMPTY], [undefined]])('no test ran, and nobody complained: %#', (report) => {
    const given = report === undefined ? {} : { report }
    expect(run(given)).toMatchObject({ status: 1, last: '0 passed, 0 failed, 0 skipped' })
  })

  test('types or style are wrong: the tests are counted all the same', () => {
    expect(run({ report: green, check: 1 })).toMatchObject({
      status: 1,
      last: '4 passed, 0 failed, 1 skipped',
    })
  })

  test('nothing could be installed', () => {
    const { status, lines, last } = run({ ci: 1, report: green })
    expect({ status, last }).toEqual({ status: 1, last: '0 passed, 0 failed, 0 skipped' })
    expect(lines.some((line) => line.startsWith('npm test'))).toBe(false)
  })
})

describe('containers where they can be had, else the embedded Postgres', () => {
  const containers = 'The tests use containers: Postgres 17 and stripe-mock.'
  const embedded = 'The tests use the embedded Postgres: there are no containers here.'
  const up = 'echo "containers: log" >&2; echo SOME_SETTING="a = b"; echo "some notice"'

  test.each([
    ['they are there', { up, images: true }, containers, 'TEST_POSTGRES=container SOME_SETTING=a = b'],
    [
      'they need no settings',
      { up: 'true', images: true },
      containers,
      'TEST_POSTGRES=container SOME_SETTING=',
    ],
    ['nothing brings them', { images: true }, embedded, 'TEST_POSTGRES=embedded SOME_SETTING='],
    [
      'what brings them fails',
      { up: `${up}; exit 1`, images: true },
      embedded,
      'TEST_POSTGRES=embedded SOME_SETTING=',
    ],
    ['an image is missing', { up }, embedded, 'TEST_POSTGRES=embedded SOME_SETTING='],
  ])('%s', (_, given, says, settings) => {
    const { lines } = run({ ...given, report: EMPTY })
    expect(lines).toContain(says)
    expect(lines).toContain(`npm test: ${settings}`)
  })
})
