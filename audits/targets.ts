import { UsageError } from './errors.ts'
import { isStage, STAGES, type Stage } from './stage.ts'
import { encryptionsOf } from './tls.ts'

/** A database to audit. */
export interface Target {
  readonly name: string
  /** With the password: never print it, print `withoutPassword(url)`. */
  readonly url: string
  /** The stage that the database must be at. */
  readonly stage?: Stage
  /** The name that the database must have, whatever the URL of a pooler says. */
  readonly database?: string
  /** The system identifier that the cluster must have; a primary and its standbys share it. */
  readonly system?: string
  /** How long a statement may take, in ms. */
  readonly statementMs?: number
  /** Rules that are left out here. */
  readonly skip?: readonly { readonly id: string; readonly reason: string }[]
}

/** What a target's name may be. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

/**
 * Reads `NAME=URL` texts, and `NAME=STAGE` pins for them.
 *
 * @throws UsageError with one line for each problem. A text that can't be read is not repeated in it: it may hold a
 *   password.
 */
export function parseTargets(targets: readonly string[], pins: readonly string[] = []): readonly Target[] {
  const problems: string[] = []
  const stages = parsePins(pins, problems)
  const found: Target[] = []
  targets.forEach((text, index) => {
    const at = text.indexOf('=')
    const name = text.slice(0, Math.max(at, 0))
    if (!NAME.test(name)) {
      problems.push(
        `target ${index + 1} does not have the form NAME=URL; a name has letters, digits, dots, dashes and underscores`,
      )
      return
    }
    const stage = stages.get(name)
    found.push({ name, url: text.slice(at + 1), ...(stage && { stage }) })
  })
  problems.push(...problemsOf(found))
  for (const name of stages.keys()) {
    if (problems.length === 0 && !found.some((target) => target.name === name)) {
      problems.push(`a stage is given for "${name}", but there is no such target`)
    }
  }
  if (targets.length === 0) {
    problems.push('no target; give --target NAME=URL, --targets FILE, or AUDIT_TARGETS in the environment')
  }
  if (problems.length > 0) {
    throw new UsageError(problems)
  }
  return found
}

/** What is wrong with URLs, and which targets are there twice: one line each. */
export function problemsOf(targets: readonly Target[]): readonly string[] {
  const problems: string[] = []
  const fine: Target[] = []
  for (const target of targets) {
    const { name, url } = target
    const wrong = wrongUrl(url)
    if (wrong !== undefined) {
      problems.push(`target "${name}": ${wrong}`)
      continue
    }
    const twin = fine.find((other) => other.name === name || place(other.url) === place(url))
    if (twin === undefined) {
      fine.push(target)
    } else if (twin.name === name) {
      problems.push(`target "${name}" is given twice`)
    } else {
      problems.push(`target "${name}" is the same database as target "${twin.name}": ${place(url)}`)
    }
  }
  return problems
}

/** What is separated by blanks and line breaks in an environment variable. */
export function words(value: string | undefined): string[] {
  return (value ?? '').split(/\s+/).filter((word) => word !== '')
}

/** The URL as it may be printed: user, host, port, database, and how TLS is done. */
export function withoutPassword(url: string): string {
  const clean = new URL(url)
  clean.password = ''
  clean.hash = ''
  for (const key of [...clean.searchParams.keys()]) {
    if (!['host', 'port', 'sslmode', 'sslrootcert'].includes(key)) {
      clean.searchParams.delete(key)
    }
  }
  return clean.toString()
}

/** Takes the password of a URL out of a text that somebody else wrote: a driver, a server. */
export function withoutSecrets(text: string, url: string): string {
  const { password, searchParams, username, pathname } = new URL(url)
  const open = [username, decode(username), pathname.slice(1), decode(pathname.slice(1))]
  const secrets = [
    password,
    decode(password),
    searchParams.get('password') ?? '',
    searchParams.get('sslpassword') ?? '',
  ]
    // What is printed as user or database anyway is no secret, and one or two letters can't be one.
    .filter((secret) => secret.length > 2 && !open.includes(secret))
    .sort((a, b) => b.length - a.length)
  return secrets.reduce((clean, secret) => clean.replaceAll(secret, '***'), text)
}

function parsePins(pins: readonly string[], problems: string[]): Map<string, Stage> {
  const stages = new Map<string, Stage>()
  pins.forEach((text, index) => {
    const at = text.indexOf('=')
    const name = text.slice(0, Math.max(at, 0))
    const stage = text.slice(at + 1)
    if (!NAME.test(name)) {
      problems.push(`stage ${index + 1} does not have the form NAME=STAGE`)
    } else if (!isStage(stage)) {
      problems.push(`stage of "${name}": "${stage}" is none; allowed are: ${STAGES.join(', ')}`)
    } else if (stages.has(name)) {
      problems.push(`a stage is given twice for "${name}"`)
    } else {
      stages.set(name, stage)
    }
  })
  return stages
}

const ENCODE = 'in user and password, characters such as @ : / # ? % must be percent-encoded'

/** Why this is no URL of a database. Nothing of the text is repeated: a password may be anywhere in it. */
function wrongUrl(text: string): string | undefined {
  if (!/^postgres(ql)?:\/\//.test(text)) {
    return 'the URL must begin with postgres:// or postgresql://'
  }
  if (!URL.canParse(text)) {
    return `the URL can't be read; ${ENCODE}`
  }
  const url = new URL(text)
  const database = url.pathname.slice(1)
  if (url.hash !== '' || /[/@]/.test(database)) {
    return `the URL can't be read; ${ENCODE}`
  }
  if (url.hostname === '' && !url.searchParams.has('host')) {
    return 'the URL names no host'
  }
  const port = url.searchParams.get('port') ?? (url.port || '5432')
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
    return 'the URL names a port that is none: a number from 1 to 65535'
  }
  if (database === '') {
    return 'the URL names no database; it ends in /DATABASE'
  }
  if (![url.username, url.password, database].every(decodes)) {
    return `the URL can't be read; ${ENCODE}`
  }
  try {
    encryptionsOf(text)
  } catch (error) {
    return (error as Error).message
  }
  return undefined
}

/** Which database a URL leads to, whoever logs in. */
function place(text: string): string {
  const url = new URL(text)
  const host = url.searchParams.get('host') ?? url.hostname
  const port = url.searchParams.get('port') ?? (url.port || '5432')
  return `${host.toLowerCase()}:${port}/${decode(url.pathname.slice(1))}`
}

function decodes(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

function decode(text: string): string {
  return decodes(text) ? decodeURIComponent(text) : text
}
