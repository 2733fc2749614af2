import { describe, expect, test } from 'vitest'
import { DeadlineError, failureOf, RETRIES, SessionError } from './failure.ts'

/** An error as node-postgres makes one of a server's answer, or as Node makes one of a socket. */
function error(code: string, message = 'it failed'): Error {
  return Object.assign(new Error(message), { code })
}

const URL_A = 'postgres://audit:s3cret@db/app'

describe('what is tried again', () => {
  test.for([
    ['a conflict on a standby', error('40001'), 'conflict'],
    ['a lost connection', error('08006'), 'lost'],
    ['a refused connection', error('08001'), 'lost'],
    ['a backend that was ended', error('57P01'), 'lost'],
    ['a server that crashed', error('57P02'), 'lost'],
    ['a server that is starting', error('57P03'), 'lost'],
    ['too many connections', error('53300'), 'lost'],
    ['nobody listening', error('ECONNREFUSED'), 'lost'],
    // Five capitals, like a SQLSTATE.
    ['a broken pipe', error('EPIPE'), 'lost'],
    ['a reset', error('ECONNRESET'), 'lost'],
    ['an unknown name', error('ENOTFOUND'), 'lost'],
    ['a socket that closed', new Error('Connection terminated unexpectedly'), 'lost'],
    ['a server that does not finish its greeting', new Error('timeout expired'), 'lost'],
    // Trying these again makes a slow replica slower, or changes nothing.
    ['a statement that took too long', error('57014'), 'broken'],
    ['a lock that was not given', error('55P03'), 'broken'],
    ['no answer in time', new DeadlineError(25_000), 'broken'],
    ['a missing table', error('42P01'), 'broken'],
    ['a missing privilege', error('42501'), 'broken'],
    ['a write', error('25006'), 'broken'],
    ['a wrong password', error('28P01'), 'broken'],
    ['a missing database', error('3D000'), 'broken'],
    ['a serialization text without its code', new Error('conflict with recovery 40001'), 'broken'],
    ['a rule of the wrong shape', new SessionError('column'), 'broken'],
    ['anything else', 'a text', 'broken'],
  ] as const)('%s', ([, thrown, kind]) => {
    expect(failureOf(thrown, URL_A).kind).toBe(kind)
  })

  test('is bounded', () => {
    expect(RETRIES).toEqual({ conflict: [5_000, 20_000, 60_000], lost: [5_000], broken: [] })
  })
})

describe('what is told', () => {
  test.for([
    [
      error('28P01', 'password authentication failed for user "audit"'),
      'password authentication failed for user "audit" (28P01): check user, password and pg_hba.conf',
    ],
    [
      error('42501', 'query would be affected by row-level security policy for table "token_usage"'),
      'query would be affected by row-level security policy for table "token_usage" (42501): row-level security would hide rows from this role; a rule that sees a part judges nothing: alter role … bypassrls',
    ],
    [
      error('42501', 'permission denied for table x'),
      'permission denied for table x (42501): the role may not read this; grant select to it',
    ],
    [
      error('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:1'),
      'connect ECONNREFUSED 127.0.0.1:1: check host and port in the URL, and whether this machine may reach them',
    ],
    [error('XX000', 'one\ntwo'), 'one (XX000)'],
    ['thrown', 'thrown'],
  ] as const)('is one line, what and what to do: %s', ([thrown, text]) => {
    expect(failureOf(thrown, URL_A).text).toBe(text)
  })

  // Node tries each address of a host, and wraps what each of them said into an error without a text.
  test('names each address that was tried', () => {
    const both = new AggregateError(
      [error('ECONNREFUSED', 'connect ::1'), error('ECONNREFUSED', 'connect 127.0.0.1')],
      '',
    )
    expect(failureOf(Object.assign(both, { code: 'ECONNREFUSED' }), URL_A).text).toMatch(
      /^connect ::1; connect 127\.0\.0\.1: check/,
    )
  })

  test('holds no password', () => {
    expect(failureOf(new Error(`cannot read ${URL_A}`), URL_A).text).toBe(
      'cannot read postgres://audit:***@db/app',
    )
  })

  // `invalid input syntax for type uuid: "ann@example.com"`, also where the value has lines of its own.
  test.for([
    [
      '22P02',
      'invalid input syntax for type uuid: "ann@example.com"',
      'invalid input syntax for type uuid: "…" (22P02)',
    ],
    [
      '22P02',
      'invalid input syntax for type uuid: "ann\n@example.com"',
      'invalid input syntax for type uuid: "…" (22P02)',
    ],
    ['22003', 'value "5550123" is out of range for type integer', 'value "…" (22003)'],
    [
      '42P01',
      'relation "public.x" does not exist',
      'relation "public.x" does not exist (42P01): is this the database of the app, and at the stage that it says?',
    ],
  ] as const)('holds no value of a row: %s', ([code, message, text]) => {
    expect(failureOf(error(code, message), URL_A).text).toBe(text)
  })
})
