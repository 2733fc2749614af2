import { execFile } from 'node:child_process'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe } from 'vitest'
import { readCatalogue } from '../../audits/catalogue.ts'
import { psqlLine, subjectSql } from '../../audits/psql.ts'
import { test } from '../support/test.ts'
import { directory, select } from './support.ts'

const UUID = '00000000-0000-4000-8000-00000000000a'

/** The types of subjects that the rules of the repository name. */
async function subjectTypes(): Promise<readonly string[]> {
  const { invariants } = await readCatalogue(join(import.meta.dirname, '../../audits/invariants'))
  const types = invariants.flatMap(({ sql }) => [...sql.matchAll(/'([a-z_]+)'(?:::text)? as subject_type/g)])
  return [...new Set(types.map(([, type]) => type ?? ''))]
}

describe('the line that shows a subject', () => {
  // A line that fails, at three in the morning, in front of somebody who does not know the schema.
  test.for([
    ['as-found', 'as-found'],
    ['unify', 'unified'],
  ] as const)(
    'is SQL that a database at stage %s understands, for every type of subject',
    async ([stage, revision], { database, expect }) => {
      const { url } = await database(revision)
      const types = await subjectTypes()
      expect(types.length).toBeGreaterThan(3)
      for (const subjectType of types) {
        const sql = subjectSql({ subjectType, subjectId: UUID, userId: UUID }, stage)
        expect([subjectType, sql]).toEqual([subjectType, expect.any(String)])
        await select(url, sql ?? '')
      }
    },
  )

  // An id is whatever the database holds.
  test('is one argument of the shell, and one constant of SQL, whatever the id', async ({
    database,
    expect,
  }) => {
    const { url } = await database('as-found')
    const bin = await directory({ psql: '#!/bin/sh\nprintf "%s\\n--\\n" "$@"\n' })
    await chmod(join(bin, 'psql'), 0o755)
    for (const id of [
      `'; drop table public.token_usage; --`,
      '$(touch /tmp/x) `id` "quoted" \\',
      'a\nb\u202e!',
      '$HOME $(id)',
    ]) {
      const subject = { subjectType: 'grant_key', subjectId: id, userId: null }
      const line = psqlLine('postgres://u@h/d?a=1&b=2', 'as-found', subject) ?? ''
      expect(line).not.toContain('\n')
      const { stdout } = await promisify(execFile)('bash', ['-c', line], {
        env: { PATH: `${bin}:/usr/bin:/bin` },
      })
      const sql = subjectSql(subject, 'as-found') ?? ''
      expect(stdout).toBe(`postgres://u@h/d?a=1&b=2\n--\n-c\n--\n${sql}\n--\n`)
      expect(await select(url, sql)).toEqual([])
    }
  })

  test('is none for a subject that nobody knows', ({ expect }) => {
    expect(
      psqlLine('postgres://u@h/d', 'unify', { subjectType: 'moon', subjectId: '1', userId: null }),
    ).toBeNull()
  })
})
