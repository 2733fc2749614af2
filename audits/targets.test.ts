import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { UsageError } from './errors.ts'
import { parseTargets, withoutPassword, withoutSecrets, words } from './targets.ts'

const URL_A = 'postgres://audit:s3cret-1@db.example.com:6543/app?sslmode=require'

function problems(targets: readonly string[], pins: readonly string[] = []): readonly string[] {
  try {
    parseTargets(targets, pins)
    return []
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    // Whatever a caller prints of it, the password is not in it.
    expect(inspect(error)).not.toContain('s3cret')
    return error.problems
  }
}

describe('targets', () => {
  test('are read with their pinned stages', () => {
    expect(
      parseTargets([`prod=${URL_A}`, 'eu-1=postgresql:///app?host=/var/run/postgresql'], ['prod=unify']),
    ).toEqual([
      { name: 'prod', url: URL_A, stage: 'unify' },
      { name: 'eu-1', url: 'postgresql:///app?host=/var/run/postgresql' },
    ])
  })

  // The first = ends the name: passwords and parameters have more of them.
  test('may have = in their URLs', () => {
    const url = 'postgres://audit:s3cret=x@db/app'
    expect(parseTargets([`prod=${url}`])[0]?.url).toBe(url)
  })

  const form =
    'target 1 does not have the form NAME=URL; a name has letters, digits, dots, dashes and underscores'
  const encode = `target "prod": the URL can't be read; in user and password, characters such as @ : / # ? % must be percent-encoded`

  // A line of the log is read by everybody: what could not be read may hold a password, and is not repeated.
  test.for([
    ['no name', [URL_A], form],
    ['an empty name', [`=${URL_A}`], form],
    ['a strange name', [`pro d=${URL_A}`], form],
    [
      'another protocol',
      ['prod=mysql://u:s3cret@h/d'],
      'target "prod": the URL must begin with postgres:// or postgresql://',
    ],
    ['no URL', ['prod=s3cret'], 'target "prod": the URL must begin with postgres:// or postgresql://'],
    ['a slash in the password', ['prod=postgres://u:1/s3cret@h/d'], encode],
    ['a colon and a slash in the password', ['prod=postgres://u:a:b/s3cret@h/d'], encode],
    ['a hash in the password', ['prod=postgres://u:#s3cret@h/d'], encode],
    ['a percent sign in the password', ['prod=postgres://u:s3cret%@h/d'], encode],
    ['no host', ['prod=postgres:///d'], 'target "prod": the URL names no host'],
    [
      'a port that is none',
      ['prod=postgres://u:s3cret@h/d?port=abc'],
      'target "prod": the URL names a port that is none: a number from 1 to 65535',
    ],
    [
      'no database',
      ['prod=postgres://u:s3cret@h'],
      'target "prod": the URL names no database; it ends in /DATABASE',
    ],
    [
      'no database after the slash',
      ['prod=postgres://u:s3cret@h/'],
      'target "prod": the URL names no database; it ends in /DATABASE',
    ],
    ['a name twice', ['prod=postgres://h/a', 'prod=postgres://h/b'], 'target "prod" is given twice'],
    [
      'a database twice',
      ['a=postgres://u:s3cret@H/d', 'b=postgres://v@h:5432/d?sslmode=require'],
      'target "b" is the same database as target "a": h:5432/d',
    ],
    ['nothing', [], 'no target; give --target NAME=URL, --targets FILE, or AUDIT_TARGETS in the environment'],
  ] as const)('with %s are refused', ([, targets, problem]) => {
    expect(problems(targets)).toEqual([problem])
  })

  test.for([
    ['unify', 'stage 1 does not have the form NAME=STAGE'],
    ['prod=unified', 'stage of "prod": "unified" is none; allowed are: as-found, view, unify, retired'],
    ['rpod=unify', 'a stage is given for "rpod", but there is no such target'],
  ] as const)('are not pinned by %s', ([pin, problem]) => {
    expect(problems([`prod=${URL_A}`], [pin])).toEqual([problem])
  })

  test('are pinned once', () => {
    expect(problems([`prod=${URL_A}`], ['prod=unify', 'prod=view'])).toEqual([
      'a stage is given twice for "prod"',
    ])
  })

  test('are separated by blanks and line breaks', () => {
    expect(words('  a=1\n b=2\t\r\nc=3 ')).toEqual(['a=1', 'b=2', 'c=3'])
    expect(words(undefined)).toEqual([])
    expect(words('')).toEqual([])
  })
})

describe('a password', () => {
  test('is not in a URL that is shown, wherever it stands', () => {
    expect(withoutPassword(URL_A)).toBe('postgres://audit@db.example.com:6543/app?sslmode=require')
    expect(
      withoutPassword(
        'postgres://u:s3cret@h/d?password=s3cret&sslpassword=s3cret&host=/run&options=-c%20x=s3cret',
      ),
    ).toBe('postgres://u@h/d?host=%2Frun')
  })

  // A driver, or a server, may quote it: as it is in the URL, or decoded.
  test('is not in what a driver says', () => {
    const url = 'postgres://audit:s3cret%2F1@db/app?sslpassword=hidden'
    const said = 'could not parse "s3cret%2F1" or "s3cret/1" or "hidden", user audit'
    expect(withoutSecrets(said, url)).toBe('could not parse "***" or "***" or "***", user audit')
  })

  // `postgres:postgres@…`: taking the word out of every text would tell the password, and hide the message.
  test('that is the name of the user is no secret', () => {
    expect(withoutSecrets('user "postgres"', 'postgres://postgres:postgres@h/d')).toBe('user "postgres"')
  })
})
