import { execFile, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Answer, receive } from '../../../fixtures/webhook/server.ts'
import { serveSlack } from '../../../fixtures/webhook/slack.ts'
import type { Fault, Said } from './fault.ts'
import type { World } from './world.ts'

const ROOT = join(import.meta.dirname, '../../..')

/** A rule file: green, and as small as can be. */
const GREEN = `-- title: Nothing
-- severity: critical
-- stages: as-found, view, unify, retired
-- why: w
-- fix: f
-- unit: rows
-- population: select count(*) from public.thing
select 'row'::text as subject_type, t.n::text as subject_id, 'd'::text as detail, 0::numeric as expected,
  1::numeric as actual, null::timestamptz as occurred_at
from public.thing as t
where t.n < 0
`
const RED = GREEN.replace('t.n < 0', 't.n = 30')
const HANGING = GREEN.replace(
  'count(*) from public.thing',
  'count(*) from public.thing, generate_series(1, 1000000000)',
)

interface Given {
  readonly files?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** `npm run audit` on the standby, in a directory of its own; $DIR in its arguments stands for that. */
async function run(world: World, { files = {}, args = [], env = {} }: Given): Promise<Said> {
  const directory = await mkdtemp(join(tmpdir(), 'token-audit-fault-'))
  try {
    await mkdir(join(directory, 'rules'))
    for (const [name, text] of Object.entries({ 'rules/rule.sql': GREEN, 'waivers.yml': '[]\n', ...files })) {
      await mkdir(join(directory, name, '..'), { recursive: true })
      await writeFile(join(directory, name), text)
    }
    const all = ['--invariants', '$DIR/rules', '--waivers', '$DIR/waivers.yml', ...args]
    const given = all.map((arg) => arg.replaceAll('$DIR', directory))
    if (!args.some((arg) => ['--target', '--targets'].includes(arg))) {
      given.push('--target', `replica=${world.url(world.standby)}`)
    }
    return await command(given, env)
  } finally {
    await rm(directory, { recursive: true })
  }
}

function command(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Said> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['scripts/audit.ts', ...args],
      { cwd: ROOT, env: environment(env) },
      (error, out, err) => {
        const exit = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        resolve({ status: statusOf(out), exit, text: `${out}${err}` })
      },
    )
  })
}

/** Nothing of the audit in it but what the fault gives. */
function environment(env: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const {
    AUDIT_TARGETS: _t,
    AUDIT_STAGES: _s,
    SLACK_WEBHOOK_URL: _w,
    HEARTBEAT_URL: _h,
    ...inherited
  } = process.env
  return { ...inherited, GITHUB_ACTIONS: '', ...env }
}

/** Of the only rule; nothing was judged where there is no report. */
function statusOf(out: string): string {
  return /rules?: 1 (\w+)/.exec(out)?.[1] ?? 'nothing'
}

const waiver = (change: Readonly<Record<string, string | number>> = {}) =>
  `- ${Object.entries({
    invariant: 'rule',
    owner: 'payments',
    reason: 'known',
    ticket: 'LED-1',
    expires: inDays(10),
    'max-rows': 1,
    'max-impact': '"1"',
    ...change,
  })
    .map(([key, value]) => `${key}: ${value}`)
    .join('\n  ')}\n`

function inDays(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)
}

/** What Slack answers first; whatever comes after is taken. */
function slackFails(name: string, exit: number, says: RegExp, first: Answer): Fault {
  return {
    name: `Slack ${name}`,
    status: 'fail',
    exit,
    says,
    async run(world) {
      const slack = await serveSlack([first])
      try {
        return await run(world, { files: { 'rules/rule.sql': RED }, env: { SLACK_WEBHOOK_URL: slack.url } })
      } finally {
        await slack.close()
      }
    },
  }
}

/** The lock of a run that goes on: this process. */
function holder(): string {
  return JSON.stringify({ token: 't', pid: process.pid, host: hostname(), since: new Date().toISOString() })
}

async function together(world: World): Promise<Said> {
  const history = await mkdtemp(join(tmpdir(), 'token-audit-fault-'))
  try {
    const both = await Promise.all([1, 2].map(() => run(world, { args: ['--history', history] })))
    const records = await readdir(join(history, 'replica'))
    const worst = both.find(({ exit }) => exit !== 0) ?? both[0]
    return { status: 'nothing', exit: 0, ...worst, text: `${records.length} records` }
  } finally {
    await rm(history, { recursive: true })
  }
}

const wrongUse = (name: string, says: RegExp, given: Given): Fault => ({
  name,
  status: 'nothing',
  exit: 3,
  says,
  run: (world) => run(world, given),
})

/** What can be wrong with a run itself: its files, its waivers, those whom it has to tell. */
export const RUN_FAULTS: readonly Fault[] = [
  wrongUse('a target is listed twice', /target "a" is given twice/, {
    args: ['--target', 'a=postgres://u@h/d', '--target', 'a=postgres://u@h2/d'],
  }),
  wrongUse('two targets have one URL', /target "b" is the same database as target "a"/, {
    args: ['--target', 'a=postgres://u@h/d', '--target', 'b=postgres://v@h/d'],
  }),
  wrongUse('the targets file is malformed', /targets\.yml:3: targets\.0: Unrecognized key: "stages"/, {
    files: { 'targets.yml': 'targets:\n\n  - name: a\n    url-from: U\n    stages: unify\n' },
    args: ['--targets', '$DIR/targets.yml'],
  }),
  wrongUse('the waivers are malformed', /waivers\.yml:\d+: .*expires/, {
    files: { 'waivers.yml': waiver({ expires: 'soon' }) },
  }),
  wrongUse('a waiver names a rule that there is not', /waivers\.yml:1: .*no rule "rules"/, {
    files: { 'waivers.yml': waiver({ invariant: 'rules' }) },
  }),
  wrongUse('a record of the history has another shape', /history.*r\.json/, {
    files: { 'history/replica/r.json': '{"version":7}' },
    args: ['--history', '$DIR/history'],
  }),
  wrongUse('the webhook is no URL', /SLACK_WEBHOOK_URL is no URL/, {
    env: { SLACK_WEBHOOK_URL: 'hooks.slack.com' },
  }),
  {
    name: 'a record of the history was cut off: that run is lost, and named',
    status: 'pass',
    exit: 0,
    says: /warning: .*r\.json/,
    run: (world) =>
      run(world, {
        files: { 'history/replica/r.json': '{"version":1,"run' },
        args: ['--history', '$DIR/history'],
      }),
  },
  {
    name: 'a violation',
    status: 'fail',
    exit: 1,
    says: /VIOLATIONS: 1 rule/,
    run: (world) => run(world, { files: { 'rules/rule.sql': RED } }),
  },
  {
    name: 'a violation under a waiver',
    status: 'waived',
    exit: 0,
    says: /ALL IS WELL/,
    run: (world) => run(world, { files: { 'rules/rule.sql': RED, 'waivers.yml': waiver() } }),
  },
  {
    name: 'a violation whose waiver has ended',
    status: 'fail',
    exit: 1,
    says: /LED-1.*ended/,
    run: (world) =>
      run(world, { files: { 'rules/rule.sql': RED, 'waivers.yml': waiver({ expires: inDays(-1) }) } }),
  },
  {
    name: 'a violation beyond its waiver',
    status: 'fail',
    exit: 1,
    says: /LED-1.*covers at most 1 row .*and there are 2 rows/,
    run: (world) =>
      run(world, {
        files: { 'rules/rule.sql': RED.replace('t.n = 30', 't.n in (30, 31)'), 'waivers.yml': waiver() },
      }),
  },
  {
    name: 'a waiver that nothing needed in two runs',
    status: 'pass',
    exit: 3,
    says: /WAIVER {2}.*waivers\.yml:1.*remove it/,
    async run(world) {
      const history = await mkdtemp(join(tmpdir(), 'token-audit-fault-'))
      try {
        const given = { files: { 'waivers.yml': waiver() }, args: ['--history', history] }
        await run(world, given)
        return await run(world, given)
      } finally {
        await rm(history, { recursive: true })
      }
    },
  },
  slackFails('refuses the message for good', 4, /NOT DELIVERED {2}Slack refused the message: 404/, {
    status: 404,
    body: 'no_service',
  }),
  slackFails(
    'redirects, and is not followed',
    4,
    /NOT DELIVERED {2}Slack can't be reached: 302, a redirect/,
    {
      status: 302,
      headers: { location: 'http://127.0.0.1:2/' },
    },
  ),
  slackFails(
    'refuses the blocks once: the text is sent without them',
    1,
    /warning: Slack refused the message with its blocks/,
    {
      status: 400,
      body: 'invalid_blocks',
    },
  ),
  slackFails('asks to wait once: it is told after that', 1, /VIOLATIONS(?!.*NOT DELIVERED)/s, {
    status: 429,
    body: 'rate_limited',
    headers: { 'retry-after': '1' },
  }),
  slackFails('breaks once: it is told after that', 1, /VIOLATIONS(?!.*NOT DELIVERED)/s, {
    status: 500,
    body: 'rollup_error',
  }),
  slackFails('cuts the line once: it is told after that', 1, /VIOLATIONS(?!.*NOT DELIVERED)/s, 'cut'),
  slackFails('does not answer once: it is told after that', 1, /VIOLATIONS(?!.*NOT DELIVERED)/s, 'silent'),
  {
    name: 'another run holds the history for longer than the budget',
    status: 'nothing',
    exit: 3,
    says: /--history .*: another run \(process \d+ on .*\) is using it: wait for its end/,
    run: (world) =>
      run(world, {
        files: { 'history/.lock': holder() },
        args: ['--history', '$DIR/history', '--budget', '1s'],
      }),
  },
  {
    name: 'two runs on one history at once: each leaves its record',
    status: 'pass',
    exit: 0,
    says: /^2 records$/,
    run: (world) => together(world),
  },
  {
    name: 'the check at HEARTBEAT_URL can not be reached: said, and the verdict stays',
    status: 'pass',
    exit: 0,
    says: /warning: .*HEARTBEAT_URL/,
    run: (world) => run(world, { env: { HEARTBEAT_URL: 'http://127.0.0.1:2/ping' } }),
  },
  {
    name: 'a report can not be written',
    status: 'pass',
    exit: 4,
    says: /NOT DELIVERED {2}--json .* can't be written/,
    run: (world) => run(world, { files: { file: '' }, args: ['--json', '$DIR/file/audit.json'] }),
  },
  {
    name: 'Ctrl-C during a rule',
    status: 'nothing',
    exit: 130,
    says: /interrupted \(SIGINT\): nothing is said about any ledger/,
    run: (world) => interrupted(world),
  },
  {
    name: 'Ctrl-C while another run has the history',
    status: 'nothing',
    exit: 130,
    says: /^audit: interrupted \(SIGINT\): nothing is said about any ledger.*\n$/,
    run: (world) => interruptedAtLock(world),
  },
]

/** The check at HEARTBEAT_URL hears of the start, and then the history is asked for. */
async function interruptedAtLock(world: World): Promise<Said> {
  let requests = 0
  let interrupt = () => {}
  const check = await receive(() => {
    requests += 1
    if (requests === 1) interrupt()
    return { status: 200, body: 'OK' }
  })
  const history = await mkdtemp(join(tmpdir(), 'token-audit-fault-'))
  try {
    await writeFile(join(history, '.lock'), holder())
    const { child, ended } = started(
      ['--history', history, '--target', `replica=${world.url(world.standby)}`],
      { HEARTBEAT_URL: check.url },
    )
    interrupt = () => void child.kill('SIGINT')
    return await ended
  } finally {
    await rm(history, { recursive: true })
    await check.close()
  }
}

/** Interrupts an audit while its rule computes; the statement must end on the server as well. */
async function interrupted(world: World): Promise<Said> {
  const rules = await mkdtemp(join(tmpdir(), 'token-audit-fault-'))
  try {
    await writeFile(join(rules, 'slow.sql'), HANGING)
    const args = ['--invariants', rules, '--target', `replica=${world.url(world.standby)}`]
    const { child, ended } = started(args, {})
    await world.computing(ended)
    child.kill('SIGINT')
    const said = await ended
    await world.idle()
    return said
  } finally {
    await rm(rules, { recursive: true })
  }
}

function started(args: readonly string[], env: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, ['scripts/audit.ts', ...args], { cwd: ROOT, env: environment(env) })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (part) => {
      text += part
    })
  }
  const ended = new Promise<Said>((resolve) => {
    child.once('close', (code) => resolve({ status: statusOf(text), exit: code ?? -1, text }))
  })
  return { child, ended }
}
