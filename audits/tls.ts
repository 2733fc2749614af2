import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { sqlstateOf } from './failure.ts'

/** false: without TLS. */
export type Encryption = ConnectionOptions | false

const MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
type Mode = (typeof MODES)[number]

const PARAMETERS = ['ssl', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'uselibpqcompat', 'sslnegotiation']

/**
 * The ways to connect that a URL allows, in the order in which they are tried. sslmode means what it means to libpq
 * (Postgres manual, "SSL Support"), which the driver's own reading of it does not: unset is `prefer`, and `require`
 * encrypts without looking at the certificate. Without sslrootcert, verify-ca and verify-full trust Node's authorities.
 *
 * @throws Error for an unknown mode, or a file that can't be read
 */
export function encryptionsOf(text: string): readonly Encryption[] {
  const { hostname, searchParams } = new URL(text)
  const mode = searchParams.get('sslmode') ?? (searchParams.get('ssl') === 'true' ? 'require' : 'prefer')
  if (!isMode(mode)) throw new Error(`sslmode "${mode}" is none; allowed are: ${MODES.join(', ')}`)
  const root = searchParams.get('sslrootcert')
  const options = {
    host: hostname,
    ...(root !== null && root !== 'system' && { ca: contents('sslrootcert', root) }),
    ...file('sslcert', 'cert', searchParams),
    ...file('sslkey', 'key', searchParams),
  }
  const blind = { ...options, rejectUnauthorized: false }
  const authority = { ...options, checkServerIdentity: () => undefined }
  const ways: Readonly<Record<Mode, readonly Encryption[]>> = {
    disable: [false],
    allow: [false, blind],
    prefer: [blind, false],
    require: [root === null ? blind : authority],
    'verify-ca': [authority],
    'verify-full': [options],
  }
  return ways[mode]
}

/** The URL without what says how to encrypt: the driver would read it in its own way. */
export function withoutEncryption(text: string): string {
  const url = new URL(text)
  for (const name of PARAMETERS) url.searchParams.delete(name)
  return url.href
}

/** What the driver says when a server answers the request for TLS with no, and with an error. */
const NO_TLS = [
  'The server does not support SSL connections',
  'There was an error establishing an SSL connection',
]

/** Whether the server may want the other way: it has no TLS, or lets this role in only with, or only without it. */
export function wantsOtherWay(error: unknown): boolean {
  return sqlstateOf(error) === '28000' || (error instanceof Error && NO_TLS.includes(error.message))
}

function isMode(text: string): text is Mode {
  return (MODES as readonly string[]).includes(text)
}

function file(parameter: string, option: string, parameters: URLSearchParams): Record<string, string> {
  const path = parameters.get(parameter)
  return path === null ? {} : { [option]: contents(parameter, path) }
}

function contents(parameter: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`${parameter} ${path} can't be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
