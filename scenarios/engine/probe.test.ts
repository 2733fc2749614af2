import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { type HttpServer, serveHttp } from '../../fixtures/http-server.ts'
import { probe } from './probe.ts'

const ground = { standInPort: 12_110 }

async function probing(answer: () => Response | Promise<Response>, patienceMs?: number) {
  const server: HttpServer = await serveHttp('app', answer)
  return probe(`${server.url}/`, { ...ground, ...(patienceMs && { patienceMs }) }).finally(() =>
    server.close(),
  )
}

describe('what answers where the app should be', () => {
  // Stories played against it would tell of lost grants, and nothing of what is wrong.
  test.for<[string, () => Response, RegExp]>([
    [
      'redirects',
      () => new Response(null, { status: 308, headers: { location: '/login' } }),
      /webhook is answered 308, to \/login: Stripe follows no redirect\. Give --app/,
    ],
    [
      'shows a web page',
      () => new Response('\n<html><body>Not here', { status: 500 }),
      /webhook is answered 500 with a web page, <html><body>Not here: what listens there is not the app/,
    ],
    [
      'has no webhook',
      () => new Response('?', { status: 404 }),
      /is answered 404: the app has no such webhook$/,
    ],
  ])('%s: no app', async ([, answer, message]) => {
    await expect(probing(answer)).rejects.toThrow(message)
  })

  test('takes the request and is silent: no app, and nobody waits for ever', async () => {
    await expect(probing(() => new Promise(() => {}), 50)).rejects.toThrow(
      /did not answer within 0\.05 s: start the app on the database of --into, .* http:\/\/127\.0\.0\.1:12110$/,
    )
  })

  test('takes the line and hangs up: no app', async () => {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    await expect(probe(`http://127.0.0.1:${port}`, ground)).rejects.toThrow(/gave no answer \(\w+\): start/)
    server.close()
  })

  test('answers 200 to everything: an app, but open to everybody', async () => {
    expect(await probing(() => new Response('ok'))).toMatch(/is answered 200, though nobody has signed it/)
  })

  // An app that does as it must, or that has no secret yet: its stories tell the rest.
  test('refuses what nobody has signed: an app', async () => {
    expect(await probing(() => new Response('no', { status: 400 }))).toBeUndefined()
  })
})
