import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { onTestFinished } from 'vitest'
import type { Invariant } from '../../audits/catalogue.ts'
import { type Outcome, Session, type Surroundings } from '../../audits/session.ts'
import type { Target } from '../../audits/targets.ts'
import { LIMITS } from '../../audits/transaction.ts'
import type { Judgement } from '../../audits/violations.ts'

export const ROOT = join(import.meta.dirname, '../..')

/** A rule that finds one violation, changed as a test needs it. It has not passed the catalogue's checks. */
export function rule(change: Partial<Invariant> = {}): Invariant {
  return {
    id: 'a-rule',
    file: 'rules/a-rule.sql',
    title: 'A rule',
    severity: 'critical',
    stages: ['as-found', 'view', 'unify', 'retired'],
    why: 'w',
    fix: 'f',
    unit: 'tokens',
    population: 'select count(*) from public.token_usage',
    settleMs: 0,
    needsEvidence: false,
    sql: violation(),
    line: 8,
    namesUser: false,
    functions: [],
    ...change,
  }
}

/** A select of the columns of a rule: one violation, changed as a test needs it; `from` is appended. */
export function violation(change: Readonly<Record<string, string>> = {}, from = ''): string {
  const columns = {
    subject_type: `'thing'::text`,
    subject_id: `'1'::text`,
    detail: `'d'::text`,
    expected: '5::numeric',
    actual: '2::numeric',
    occurred_at: 'null::timestamptz',
    ...change,
  }
  const list = Object.entries(columns).map(([name, value]) => `${value} as ${name}`)
  return `select ${list.join(', ')} ${from}`
}

/** Surroundings in which nothing is waited for; `waits` are the delays that were asked for. */
export function impatient(
  limits: Partial<typeof LIMITS> = {},
  whileWaiting: () => Promise<unknown> = async () => {},
): Surroundings & { readonly waits: number[] } {
  const waits: number[] = []
  return {
    limits: { ...LIMITS, ...limits },
    waits,
    now: Date.now,
    random: () => 0.5,
    wait: async (ms) => {
      waits.push(ms)
      await whileWaiting()
    },
  }
}

/** For a session that nothing interrupts. */
export const NO_END = { signal: new AbortController().signal, deadline: Number.POSITIVE_INFINITY }

export const AS_OF = '2026-11-02T03:04:05.678901Z'

/** Runs one rule in a session of its own. */
export async function judge(
  url: string,
  invariant: Invariant,
  given: { surroundings?: Surroundings; settleMs?: number; evidence?: string } = {},
): Promise<Outcome<Judgement>> {
  const target: Target = { name: 'scratch', url }
  const session = new Session(target, 'run', given.surroundings ?? impatient(), NO_END)
  try {
    return await session.judge(invariant, {
      asOf: AS_OF,
      settleMs: given.settleMs ?? 0,
      evidence: given.evidence ?? '',
    })
  } finally {
    await session.close()
  }
}

/** Runs statements as the superuser. */
export async function execute(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

export async function select(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows
  } finally {
    await client.end()
  }
}

/** A role of this test with these privileges; gone when it ends. */
export async function asRole(databaseUrl: string, grants: (role: string) => string): Promise<string> {
  const url = new URL(databaseUrl)
  const role = `audit_${url.pathname.slice(1)}`
  await execute(databaseUrl, `create role ${role} login password 'geheim-4711'; ${grants(role)}`)
  onTestFinished(() => execute(databaseUrl, `drop owned by ${role}; drop role ${role}`))
  url.username = role
  url.password = 'geheim-4711'
  return url.href
}

/** A directory with these files; gone when the test ends. */
export async function directory(files: Readonly<Record<string, string>>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'token-audit-'))
  onTestFinished(() => rm(path, { recursive: true }))
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
  return path
}

/** The text of a well-formed rule file. */
export function ruleFile(
  change: Readonly<Record<string, string>> = {},
  sql = violation({}, 'where false'),
): string {
  const header = {
    title: 'A rule',
    severity: 'critical',
    stages: 'as-found, view, unify, retired',
    why: 'w',
    fix: 'f',
    unit: 'tokens',
    population: 'select count(*) from pg_catalog.pg_class',
    ...change,
  }
  return `${Object.entries(header)
    .map(([key, value]) => `-- ${key}: ${value}`)
    .join('\n')}\n${sql}\n`
}

/** A server that says this to everybody, and then nothing. Answers with its port. */
export async function serverThatSays(bytes: Buffer): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => socket.write(bytes))
  })
  const port = await listen(server)
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return port
}

/** A way to a server that can be cut: from then on nobody listens there. */
export async function proxy(databaseUrl: string): Promise<{ readonly url: string; cut(): void }> {
  const there = new URL(databaseUrl)
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(there.port), there.hostname)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
    }
    near.pipe(far).pipe(near)
  })
  const port = await listen(server)
  const cut = () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  onTestFinished(cut)
  const url = new URL(databaseUrl)
  url.hostname = '127.0.0.1'
  url.port = String(port)
  return { url: url.href, cut }
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Postgres' ErrorResponse. */
export function fatal(sqlstate: string, message: string): Buffer {
  const body = Buffer.from(`SFATAL\0VFATAL\0C${sqlstate}\0M${message}\0\0`)
  const head = Buffer.alloc(5)
  head.write('E')
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** `npm run audit -- …args`, with nothing of the audit in the environment but `env`. */
export function command(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  script: 'audit' | 'drill' = 'audit',
): Promise<Ran> {
  const {
    AUDIT_TARGETS: _t,
    AUDIT_STAGES: _s,
    SLACK_WEBHOOK_URL: _w,
    HEARTBEAT_URL: _h,
    GITHUB_ACTIONS: _g,
    ...inherited
  } = process.env
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [`scripts/${script}.ts`, ...args],
      { cwd: ROOT, env: { ...inherited, ...env } },
      (error, out, err) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out, err })
      },
    )
  })
}
