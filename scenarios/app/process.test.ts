import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { describe, expect } from 'vitest'
import type { AppEnv } from '../../fixtures/app/app.ts'
import { serveHttp } from '../../fixtures/http-server.ts'
import { deliver, eventOf, packSession } from './hand-made-stripe.ts'
import { test } from './test.ts'

const SERVE = resolve(import.meta.dirname, '../../fixtures/app/serve.ts')

function serve(args: readonly string[], env: AppEnv): ChildProcess {
  return spawn(process.execPath, [SERVE, ...args], { env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [line] = await Promise.race([
    once(child.stdout as NodeJS.EventEmitter, 'data'),
    once(child.stderr as NodeJS.EventEmitter, 'data'),
  ])
  return String(line).trimEnd()
}

describe('an app as a process of its own', () => {
  test.for([
    ['repaired', []],
    ['as-found', ['--data-api']],
  ] as const)('%s grants there as well', async ([revision, flags], { stand, onTestFinished }) => {
    const { stripe, env, user, balance } = await stand(revision)
    const ann = await user()
    const child = serve(['--app', revision, ...flags], env)
    onTestFinished(() => void child.kill('SIGKILL'))
    const app = { url: (await firstLine(child)).replace(`app ${revision} listens on `, '') }
    const event = eventOf('checkout.session.completed', stripe.give(packSession(ann)))
    expect(await deliver(app, event)).toMatchObject({ status: 200 })
    expect(await balance(ann)).toBe(5_000_000)
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  test('says that its port is taken, and ends with 2', async ({ stand, onTestFinished }) => {
    const { env } = await stand('repaired')
    const squatter = await serveHttp('a test', () => new Response())
    onTestFinished(() => squatter.close())
    const port = new URL(squatter.url).port
    const child = serve(['--app', 'repaired', '--port', port], env)
    const exit = once(child, 'exit')
    expect(await firstLine(child)).toBe(
      `app repaired: port ${port} is taken; stop what listens there or choose another port`,
    )
    expect(await exit).toEqual([2, null])
  })
})
