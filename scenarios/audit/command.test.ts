import { execFile } from 'node:child_process'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { describe, onTestFinished } from 'vitest'
import { test } from '../support/test.ts'
import { command, directory, fatal, ROOT, ruleFile, serverThatSays, violation } from './support.ts'

/** A server that answers a webhook as told; `bodies` is what it was sent. */
async function webhook(
  answer: (response: ServerResponse) => void,
): Promise<{ readonly url: string; readonly bodies: string[] }> {
  const bodies: string[] = []
  const server = createServer(async (request: IncomingMessage, response) => {
    let body = ''
    for await (const part of request) body += part
    bodies.push(body)
    answer(response)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { url: `http://127.0.0.1:${address.port}/services/T0/B0/geheim`, bodies }
}

const GREEN = { 'green.sql': ruleFile() }
const RED = { 'red.sql': ruleFile({}, violation()) }
const DARK = { 'dark.sql': ruleFile({}, violation({}, 'from public.nowhere')) }

const lastLine = (out: string) => out.trimEnd().split('\n').at(-1)

describe('npm run audit', () => {
  test.for([
    ['0 when all is well', GREEN, [], 0, /^ALL IS WELL: 1 rule on 1 target, no violations/],
    ['1 for violations', { ...GREEN, ...RED }, [], 1, /^VIOLATIONS: 1 rule/],
    [
      '0 for violations below --fail-on',
      { 'red.sql': ruleFile({ severity: 'major' }, violation()) },
      ['--fail-on', 'critical'],
      0,
      /1 major finding below --fail-on critical/,
    ],
    [
      '1 for violations at --fail-on',
      { 'red.sql': ruleFile({ severity: 'minor' }, violation()) },
      ['--fail-on', 'minor'],
      1,
      /^VIOLATIONS/,
    ],
    [
      '2 for what could not be judged, violations or not',
      { ...RED, ...DARK },
      [],
      2,
      /^COULD NOT JUDGE: 1 rule; violations besides: 1 rule/,
    ],
  ] as const)(
    'ends with %s, and with the verdict',
    async ([, files, flags, code, verdict], { database, expect }) => {
      const { url } = await database('as-found')
      const ran = await command(['--target', `shop=${url}`, '--invariants', await directory(files), ...flags])
      expect(lastLine(ran.out)).toMatch(verdict)
      expect(lastLine(ran.out)).toContain(`(exit ${code})`)
      expect(ran).toMatchObject({ code, err: '' })
    },
  )

  test('judges by the catalogue of the repository, and by --only', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const ran = await command(['--target', `shop=${url}`, '--only', 'guard-row-security'])
    expect(ran.out).toContain('1 rule: 1 pass')
    expect(ran.code).toBe(0)
  })

  test('takes targets and stages from the environment, flags first', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const rules = ['--invariants', await directory(GREEN)]
    const env = {
      AUDIT_TARGETS: ` one=${url}\n two=postgres://u:s3cret-9@127.0.0.1:1/x `,
      AUDIT_STAGES: 'one=unify',
    }
    const both = await command(rules, env)
    expect(both.out).toContain('it must be at unify')
    expect(both.out).toContain('ECONNREFUSED')
    expect(both.out + both.err).not.toContain('s3cret')
    expect(both.code).toBe(2)
    const flags = await command([...rules, '--target', `one=${url}`, '--stage', 'one=as-found'], env)
    expect(flags.code).toBe(0)
  })

  test('writes its reports', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const out = await directory({})
    const files = {
      json: join(out, 'deep/audit.json'),
      junit: join(out, 'audit.xml'),
      markdown: join(out, 'audit.md'),
    }
    const flags = Object.entries(files).flatMap(([format, file]) => [`--${format}`, file])
    const ran = await command(['--target', `shop=${url}`, '--invariants', await directory(RED), ...flags])
    expect(ran.code).toBe(1)
    expect(JSON.parse(await readFile(files.json, 'utf8'))).toMatchObject({ version: 2, exit: 1 })
    expect(await readFile(files.junit, 'utf8')).toContain('failures="1"')
    expect(await readFile(files.markdown, 'utf8')).toContain('Token audit: VIOLATIONS')
  })

  test('explains itself, with the exit codes', async ({ expect }) => {
    const { code, out } = await command(['--help'])
    expect(code).toBe(0)
    expect(out).toMatch(/--target <name=url>/)
    for (const exit of [0, 1, 2, 3, 4]) expect(out).toContain(`\n  ${exit}  `)
  })
})

describe('a wrong call ends with 3 and one line each', () => {
  const SHOP = 'shop=postgres://audit:s3cret-9@127.0.0.1:1/app'

  // Nothing is run: the target of these calls does not exist, and nobody hears of it.
  test.for([
    [
      'no target',
      [],
      {},
      ['audit: no target; give --target NAME=URL, --targets FILE, or AUDIT_TARGETS in the environment'],
    ],
    [
      'an unknown flag',
      ['--target', SHOP, '--tragets'],
      {},
      ["audit: unknown option '--tragets'", '(Did you mean --targets?)'],
    ],
    [
      'an argument',
      ['--target', SHOP, 'shop'],
      {},
      ['audit: too many arguments. Expected 0 arguments but got 1: shop.'],
    ],
    [
      'a wrong severity',
      ['--target', SHOP, '--fail-on', 'huge'],
      {},
      [
        "audit: option '--fail-on <severity>' argument 'huge' is invalid. Allowed choices are critical, major, minor.",
      ],
    ],
    [
      'a URL without database',
      ['--target', 'shop=postgres://audit:s3cret-9@127.0.0.1'],
      {},
      ['audit: target "shop": the URL names no database; it ends in /DATABASE'],
    ],
    [
      'a URL without name',
      ['--target', 'postgres://audit:s3cret-9@127.0.0.1/app'],
      {},
      [/^audit: target 1 does not have the form NAME=URL/],
    ],
    [
      'an unknown rule',
      ['--target', SHOP, '--only', 'old-rule'],
      {},
      [/^audit: --only old-rule: there is no such invariant; known are: action-type-known, /],
    ],
    [
      'a webhook that is no URL',
      ['--target', SHOP],
      { SLACK_WEBHOOK_URL: 'hooks.slack.com/s3cret-9' },
      ['audit: SLACK_WEBHOOK_URL is no URL; it looks like https://hooks.slack.com/services/…'],
    ],
    [
      'two reports to one file',
      ['--target', SHOP, '--json', 'out/x', '--junit', './out/x'],
      {},
      ['audit: --junit ./out/x: another report goes to this file'],
    ],
  ] as const)('%s', async ([, args, env, lines], { expect }) => {
    const ran = await command(args, env)
    const said = ran.err.trimEnd().split('\n')
    expect(said).toHaveLength(lines.length)
    lines.forEach((line, index) => {
      if (typeof line === 'string') expect(said[index]).toBe(line)
      else expect(said[index]).toMatch(line)
    })
    expect(ran).toMatchObject({ code: 3, out: '' })
    expect(ran.err).not.toContain('s3cret')
  })

  test('two reports to one file by a link', async ({ expect }) => {
    const home = await directory({})
    await symlink(home, join(home, 'link'))
    const [one, two] = [join(home, 'x'), join(home, 'link/x')]
    const { code, err } = await command(['--target', SHOP, '--json', one, '--html', two])
    expect(err).toBe(`audit: --html ${two}: another report goes to this file\n`)
    expect(code).toBe(3)
  })

  test.for([
    ['not JSON', '{', 'not JSON; an evidence file is one JSON object'],
    [
      'of an unknown kind',
      '{"version":1,"livemode":true,"covers":[{"kind":"gift","from":null,"to":null}]}',
      'covers[0].kind: unknown kind "gift"; known are: checkout_session, invoice, trial, admin',
    ],
    [
      'about nobody',
      '{"version":1,"livemode":true,"covers":[{"kind":"trial","from":null,"to":null}],"tiers":{"p":"vision_pro_annual"},"subscriptions":[{"id":"sub_1","status":"trialing","livemode":true,"created":5,"trial_start":5,"items":{"data":[{"price":"p"}]}}]}',
      'subscription sub_1 belongs to nobody',
    ],
  ] as const)('evidence that is %s', async ([, text, problem], { expect }) => {
    const path = join(await directory({ 'e.json': text }), 'e.json')
    const ran = await command(['--target', SHOP, '--evidence', path])
    expect(ran.err).toContain(problem)
    expect(ran.err.trimEnd().split('\n')).toHaveLength(1)
    expect(ran).toMatchObject({ code: 3, out: '' })
  })

  test.for([
    [
      'a bad header',
      { 'a.sql': ruleFile({ severity: 'huge' }) },
      'a.sql:2: severity "huge"; allowed are: critical, major, minor',
    ],
    [
      'two statements',
      { 'a.sql': `${ruleFile().trimEnd()}; select 1` },
      'a.sql:8: a second statement; a file holds exactly one select',
    ],
    [
      'a write',
      { 'a.sql': ruleFile({}, 'delete from public.token_usage') },
      'a.sql:8: not a select: DeleteStmt',
    ],
    [
      'an escape',
      { 'a.sql': ruleFile({}, `${violation()}) as v; drop table public.token_usage; select (1`) },
      'a.sql:8: syntax error at or near ")"',
    ],
    ['no rules', {}, 'the catalogue is empty: no invariant, no verdict'],
  ] as const)('a catalogue with %s', async ([, files, problem], { expect }) => {
    const path = await directory(files)
    const ran = await command(['--target', SHOP, '--invariants', path])
    expect(ran.err.replace(`${path}/`, '')).toBe(`audit: ${problem}\n`)
    expect(ran).toMatchObject({ code: 3, out: '' })
  })

  test('an id that two catalogues have', async ({ expect }) => {
    const [one, two] = [await directory(GREEN), await directory(GREEN)]
    const ran = await command(['--target', SHOP, '--invariants', one, '--invariants', two])
    expect(ran.err).toBe(
      `audit: ${two}/green.sql: the id "green" is taken by ${one}/green.sql; rename one of them\n`,
    )
    expect(ran.code).toBe(3)
  })
})

describe('a target in trouble ends with 2', () => {
  // The password goes over the wire and nowhere else.
  test('when its password is wrong, and the password is not told', async ({ expect }) => {
    const port = await serverThatSays(
      fatal('28P01', 'password authentication failed for user "audit": s3cret-9'),
    )
    const out = await directory({})
    const ran = await command([
      ...['--target', `shop=postgres://audit:s3cret-9@127.0.0.1:${port}/app`],
      ...['--json', join(out, 'a.json'), '--junit', join(out, 'a.xml'), '--markdown', join(out, 'a.md')],
    ])
    expect(ran.out).toContain('password authentication failed for user "audit": *** (28P01): check user')
    expect(lastLine(ran.out)).toMatch(/^COULD NOT JUDGE: 1 of 1 target/)
    expect(ran.code).toBe(2)
    const written = await Promise.all(
      ['a.json', 'a.xml', 'a.md'].map((name) => readFile(join(out, name), 'utf8')),
    )
    expect([ran.out, ran.err, ...written].join()).not.toContain('s3cret')
  })

  test('when it is empty', async ({ database, expect }) => {
    const { url } = await database('empty')
    const ran = await command(['--target', `shop=${url}`])
    expect(ran.out).toContain('there is no table public.token_usage: is this the database of the app?')
    expect(ran.code).toBe(2)
  })
})

describe('the verdict is delivered', () => {
  const run = async (
    url: string,
    files: Readonly<Record<string, string>>,
    SLACK_WEBHOOK_URL: string,
    more: string[] = [],
  ) =>
    command(['--target', `shop=${url}`, '--invariants', await directory(files), ...more], {
      SLACK_WEBHOOK_URL,
      GITHUB_SERVER_URL: 'https://github.example.com',
      GITHUB_REPOSITORY: 'o/r',
      GITHUB_RUN_ID: '7',
    })

  test.for([
    ['violations', RED, 1, 'Token audit: VIOLATIONS'],
    ['what could not be judged', DARK, 2, 'Token audit: COULD NOT JUDGE'],
  ] as const)('to Slack: %s', async ([, files, code, text], { database, expect }) => {
    const { url } = await database('as-found')
    const slack = await webhook((response) => response.end('ok'))
    expect(await run(url, files, slack.url)).toMatchObject({ code, err: '' })
    expect(slack.bodies).toHaveLength(1)
    expect(slack.bodies[0]).toContain(text)
    expect(slack.bodies[0]).toContain('<https://github.example.com/o/r/actions/runs/7|')
  })

  // "All passed" every morning is read for a week.
  test('to nobody when all is well', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const slack = await webhook((response) => response.end('ok'))
    expect((await run(url, GREEN, slack.url)).code).toBe(0)
    expect(slack.bodies).toEqual([])
  })

  // A refused alert and a green step: two nights of nobody knowing.
  test.for([
    [
      'refuses it',
      (response: ServerResponse) => response.writeHead(400).end('invalid_blocks'),
      'Slack refused the message: 400 invalid_blocks',
    ],
    [
      'is gone',
      (response: ServerResponse) => response.writeHead(404).end('no_service'),
      'Slack refused the message: 404 no_service',
    ],
    [
      'sends it elsewhere',
      (response: ServerResponse) => response.writeHead(302, { location: '/' }).end(),
      "Slack can't be reached",
    ],
  ] as const)(
    // What is tried again, and how often, is in delivery.test.ts: here nothing waits.
    'or not: Slack %s',
    async ([, answer, why], { database, expect }) => {
      const { url } = await database('as-found')
      const slack = await webhook((response) => void answer(response))
      const json = join(await directory({}), 'audit.json')
      const ran = await run(url, RED, slack.url, ['--json', json])
      expect(ran.code).toBe(4)
      expect(ran.out).toContain('VIOLATIONS: 1 rule')
      expect(lastLine(ran.out)).toContain(`NOT DELIVERED  ${why}`)
      // Who knows the URL may post.
      expect(ran.out + ran.err).not.toContain('geheim')
      expect(JSON.parse(await readFile(json, 'utf8'))).toMatchObject({ exit: 1 })
    },
  )

  // `npm run audit | head`: the shell's pipe is closed before the verdict is printed.
  test('or not: nobody reads what is printed', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const json = join(await directory({}), 'audit.json')
    const rules = await directory(GREEN)
    const line = `"$0" scripts/audit.ts --target shop="$1" --invariants "$2" --json "$3" | true; exit "\${PIPESTATUS[0]}"`
    const ended = await new Promise((resolve) => {
      execFile('bash', ['-c', line, process.execPath, url, rules, json], { cwd: ROOT }, (error) =>
        resolve(error?.code),
      )
    })
    expect(ended).toBe(4)
    expect(JSON.parse(await readFile(json, 'utf8'))).toMatchObject({ exit: 0 })
  })

  // One file that can't be written must not take the others, nor the verdict, with it.
  test('or not: a report can not be written', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const out = await directory({ file: '' })
    await writeFile(join(out, 'file'), '')
    const flags = ['--json', join(out, 'file/audit.json'), '--junit', join(out, 'audit.xml')]
    const slack = await webhook((response) => response.end('ok'))
    const ran = await run(url, RED, slack.url, flags)
    expect(ran.out).toContain('VIOLATIONS: 1 rule')
    expect(lastLine(ran.out)).toMatch(
      /^NOT DELIVERED {2}--json .*file\/audit\.json can't be written: (ENOTDIR|EEXIST)/,
    )
    expect(ran.code).toBe(4)
    expect(await readFile(join(out, 'audit.xml'), 'utf8')).toContain('failures="1"')
    expect(slack.bodies).toHaveLength(1)
  })
})
