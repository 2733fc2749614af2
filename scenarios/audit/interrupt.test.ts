import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished } from 'vitest'
import { type Answer, receive } from '../../fixtures/webhook/server.ts'
import { test } from '../support/test.ts'
import { directory, ROOT, ruleFile, violation } from './support.ts'

const FOUND = ruleFile({}, violation())

/** The command, told to stop with Ctrl-C as soon as `stop` is called. */
function interruptible(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, ['scripts/audit.ts', ...args], {
    cwd: ROOT,
    env: { ...process.env, GITHUB_ACTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)]).then(
    ([[code], out, err]) => ({ code, out, err }),
  )
  return { ended, stop: () => void child.kill('SIGINT') }
}

/** A receiver whose first request is the moment to stop. */
async function atFirstRequest(answer: Answer, stop: () => void): Promise<string> {
  let requests = 0
  const { url, close } = await receive(() => {
    requests += 1
    if (requests === 1) stop()
    return answer
  })
  onTestFinished(close)
  return url
}

/** A server on which every connection is cut. */
async function cutting(onCut: () => void): Promise<string> {
  const server = createServer((socket) => {
    socket.destroy()
    onCut()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  return `postgres://audit:x@127.0.0.1:${typeof address === 'object' ? address?.port : ''}/app`
}

// An exception that means "aborted" and is not the signal's own ends as a crash: exit 2, a stack, and Slack is told.
describe('Ctrl-C ends with 130, without a stack', () => {
  const stopped = { code: 130, err: expect.not.stringContaining('    at ') }

  test('while the audit waits to connect again', async () => {
    let stop = () => {}
    const url = await cutting(() => stop())
    const running = interruptible(['--target', `a=${url}`, '--only', 'balance-is-ledger-sum'])
    stop = running.stop
    expect(await running.ended).toMatchObject(stopped)
  })

  test('while another run has the history', async () => {
    const kept = await directory({})
    const holder = { token: 't', pid: process.pid, host: hostname(), since: '2026-11-02T03:00:00Z' }
    await writeFile(join(kept, '.lock'), JSON.stringify(holder))
    let stop = () => {}
    // The check is told of the start, and then the history is asked for.
    const HEARTBEAT_URL = await atFirstRequest({ status: 200, body: 'OK' }, () => stop())
    const running = interruptible(['--target', 'a=postgres://a@127.0.0.1:1/a', '--history', kept], {
      HEARTBEAT_URL,
    })
    stop = running.stop
    expect(await running.ended).toMatchObject(stopped)
    expect(await readdir(kept)).toEqual(['.lock'])
  })

  // Slack never heard of it: if the record said that it did, nobody would be told tomorrow either.
  test('while Slack is waited for: the record says that nobody was told', async ({ database }) => {
    const { url } = await database('as-found')
    const [rules, kept] = [await directory({ 'a-rule.sql': FOUND }), await directory({})]
    let stop = () => {}
    const webhook = await atFirstRequest({ status: 429, headers: { 'retry-after': '60' } }, () => stop())
    const running = interruptible(['--target', `a=${url}`, '--invariants', rules, '--history', kept], {
      SLACK_WEBHOOK_URL: webhook,
    })
    stop = running.stop
    const { code, out } = await running.ended
    expect(out).toContain('NOT DELIVERED  Slack')
    expect(code).toBe(130)
    const [file = ''] = await readdir(join(kept, 'a'))
    expect(JSON.parse(await readFile(join(kept, 'a', file), 'utf8'))).toMatchObject({ told: false })
  })

  test('and leaves no report of an earlier run that would pass for its own', async () => {
    const reports = await directory({ 'report.json': '{"verdict":"ok"}' })
    const report = join(reports, 'report.json')
    let stop = () => {}
    const url = await cutting(() => stop())
    const running = interruptible(['--target', `a=${url}`, '--json', report])
    stop = running.stop
    expect(await running.ended).toMatchObject(stopped)
    await expect(access(report)).rejects.toThrow('ENOENT')
  })
})
