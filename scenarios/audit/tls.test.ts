import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { describe, onTestFinished } from 'vitest'
import { Connection } from '../../audits/connection.ts'
import { test } from '../support/test.ts'
import { directory, NO_END } from './support.ts'

/** The first eight bytes of a client that wants TLS: length 8, code 80877103 (Postgres manual, "Message Formats"). */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])

interface Keys {
  readonly authority: string
  readonly key: string
  readonly certificate: string
}

/** An authority and a certificate of it for localhost; undefined where there is no openssl to make them. */
async function makeKeys(): Promise<Keys | undefined> {
  const home = await directory({ extensions: 'subjectAltName=DNS:localhost' })
  const at = (name: string) => join(home, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: home, stdio: 'ignore' })
  const fresh = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  try {
    openssl(
      'req',
      '-x509',
      ...fresh,
      '-keyout',
      'ca.key',
      '-out',
      'ca.crt',
      '-subj',
      '/CN=test',
      '-days',
      '2',
    )
    openssl('req', ...fresh, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost')
    openssl(
      ...['x509', '-req', '-in', 'server.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'],
      ...['-out', 'server.crt', '-days', '2', '-extfile', 'extensions'],
    )
  } catch {
    return undefined
  }
  return {
    authority: at('ca.crt'),
    key: readFileSync(at('server.key'), 'utf8'),
    certificate: readFileSync(at('server.crt'), 'utf8'),
  }
}

/** Postgres behind TLS; `used` tells of each connection whether it was encrypted. */
async function withTls(databaseUrl: string, { key, certificate }: Keys, only = false) {
  const there = new URL(databaseUrl)
  const used: boolean[] = []
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(Number(there.port), there.hostname)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
    }
    near.once('data', (first) => {
      const encrypted = first.equals(SSL_REQUEST)
      used.push(encrypted)
      if (!encrypted) {
        if (only) {
          near.destroy()
          return
        }
        far.write(first)
        near.pipe(far).pipe(near)
        return
      }
      near.write('S')
      const secure = new TLSSocket(near, { isServer: true, key, cert: certificate })
      secure.on('error', () => near.destroy())
      secure.pipe(far).pipe(secure)
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, 'localhost', resolve)
  })
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const url = (query: string, host = 'localhost') => {
    const way = new URL(databaseUrl)
    way.hostname = host
    way.port = String(address.port)
    return `${way.href}${query}`
  }
  return { url, used, address: address.address }
}

/** `in`, or why not. */
async function enter(url: string): Promise<string> {
  try {
    const connection = await Connection.open(url, 5_000, 5_000, NO_END.signal)
    await connection.query('select 1')
    await connection.close()
    return 'in'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

// The driver reads sslmode in a way of its own: `require` looks at the certificate, `prefer` never does without TLS.
describe('sslmode, as libpq means it', () => {
  test('decides whether a connection is encrypted', async ({ database, expect, skip }) => {
    const keys = await makeKeys()
    if (keys === undefined) return skip('no openssl on this machine to make certificates with')
    const { url: direct } = await database('empty')
    const { url, used } = await withTls(direct, keys)
    for (const mode of [
      '',
      '?sslmode=disable',
      '?sslmode=allow',
      '?sslmode=prefer',
      '?sslmode=require',
      '?ssl=true',
    ]) {
      expect(await enter(url(mode))).toBe('in')
    }
    expect(used).toEqual([true, false, false, true, true, true])
  })

  test('decides whose certificate is taken', async ({ database, expect, skip }) => {
    const keys = await makeKeys()
    if (keys === undefined) return skip('no openssl on this machine to make certificates with')
    const { url: direct } = await database('empty')
    const { url, address } = await withTls(direct, keys)
    const root = `&sslrootcert=${encodeURIComponent(keys.authority)}`
    const numeric = address.includes(':') ? `[${address}]` : address
    expect(await enter(url('?sslmode=verify-full'))).toMatch(/self-signed|unable to (get|verify)/)
    expect(await enter(url('?sslmode=verify-ca'))).toMatch(/self-signed|unable to (get|verify)/)
    expect(await enter(url(`?sslmode=verify-full${root}`))).toBe('in')
    expect(await enter(url(`?sslmode=verify-ca${root}`))).toBe('in')
    // With an authority given, `require` is verify-ca (Postgres manual, "SSL Client Certificates").
    expect(await enter(url(`?sslmode=require${root}`))).toBe('in')
    // The same server by a name that its certificate does not have.
    expect(await enter(url(`?sslmode=verify-full${root}`, numeric))).toMatch(/does not match certificate/)
    expect(await enter(url(`?sslmode=verify-ca${root}`, numeric))).toBe('in')
  })

  // Going on without encryption sends the password in the clear to whoever cut the TLS out.
  test('is not weakened where the server has no TLS', async ({ database, expect }) => {
    const { url } = await database('empty')
    for (const mode of ['require', 'verify-ca', 'verify-full']) {
      expect(await enter(`${url}?sslmode=${mode}`)).toBe('The server does not support SSL connections')
    }
    for (const mode of ['', '?sslmode=prefer', '?sslmode=allow', '?sslmode=disable']) {
      expect(await enter(`${url}${mode}`)).toBe('in')
    }
  })
})
