import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { Client } from 'pg'
import { describe } from 'vitest'
import { audit } from '../../audits/audit.ts'
import { readCatalogue } from '../../audits/catalogue.ts'
import { parseEvidence } from '../../audits/evidence.ts'
import { beat, installHeartbeat } from '../../fixtures/migrations/heartbeat.ts'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import { fillUnified } from '../engine/healthy.ts'
import { test } from '../support/test.ts'

const ROOT = join(import.meta.dirname, '../..')

async function rows(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const result = await client.query<Record<string, unknown>>(sql)
    return result.rows ?? []
  } finally {
    await client.end()
  }
}

function migrate(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['scripts/migrate.ts', ...args], { cwd: ROOT }, (error, out, err) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err })
    })
  })
}

describe('the heartbeat', () => {
  test('is one row, installed any number of times, and later after each beat', async ({
    database,
    expect,
  }) => {
    const { url } = await database('unified')
    const target = parseTarget(url)
    const first = await installHeartbeat(target)
    const second = await installHeartbeat(target)
    const third = await beat(target)
    expect(first.scheduled).toBe(false)
    expect(second.beatenAt.getTime()).toBeGreaterThanOrEqual(first.beatenAt.getTime())
    const all = await rows(url, 'select beaten_at from public.token_audit_heartbeat')
    expect(all).toEqual([{ beaten_at: third }])
    await expect(rows(url, 'insert into public.token_audit_heartbeat values (false, now())')).rejects.toThrow(
      'check',
    )
  })

  // Whoever can set the time can make a dead replica look fresh.
  test('is nobody else’s to read or to set', async ({ database, expect }) => {
    const { url } = await database('as-found')
    await installHeartbeat(parseTarget(url))
    for (const role of ['anon', 'authenticated']) {
      for (const sql of [
        'select * from public.token_audit_heartbeat',
        'update public.token_audit_heartbeat set beaten_at = now()',
        'select public.token_audit_beat()',
      ]) {
        await expect(rows(url, `set role ${role}; ${sql}`)).rejects.toThrow('permission denied')
      }
    }
    await rows(url, 'set role service_role; select public.token_audit_beat()')
    await expect(
      rows(url, 'set role service_role; update public.token_audit_heartbeat set beaten_at = now()'),
    ).rejects.toThrow('permission denied')
  })

  // A stand-in with pg_cron's signature: the extension is not among the tests' binaries.
  test('is scheduled once a minute where pg_cron is', async ({ database, expect }) => {
    const { url } = await database('as-found')
    await rows(
      url,
      `create schema cron; create table cron.calls (name text, at text, command text);
       create function cron.schedule(job_name text, schedule text, command text) returns bigint language sql
       as 'insert into cron.calls values ($1, $2, $3) returning 1::bigint'`,
    )
    expect((await installHeartbeat(parseTarget(url))).scheduled).toBe(true)
    const [call] = await rows(url, 'select * from cron.calls')
    expect(call).toEqual({
      name: 'token-audit-heartbeat',
      at: '* * * * *',
      command: 'select public.token_audit_beat()',
    })
    await rows(url, String(call?.command))
  })

  test('changes nothing that the audit judges', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const evidence = parseEvidence(await fillUnified(url), 'healthy')
    await installHeartbeat(parseTarget(url))
    const catalogue = await readCatalogue(join(ROOT, 'audits/invariants'))
    const report = await audit({ targets: [{ name: 'a', url }], catalogue, evidence })
    expect(report).toMatchObject({
      exit: 0,
      targets: [{ freshness: { by: 'primary', age_ms: 0 }, stage: 'unify' }],
    })
  })

  test('is installed and beaten by commands', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const early = await migrate('beat', '--database', url)
    expect(early.code).toBe(2)
    expect(early.err).toContain('there is no heartbeat to beat: npm run migrate -- heartbeat installs it')
    const installed = await migrate('heartbeat', '--database', url)
    expect(installed.out).toContain(
      'there is no pg_cron here: let something call select public.token_audit_beat()',
    )
    expect(installed.code).toBe(0)
    expect((await migrate('beat', '--database', url)).out).toMatch(/^heartbeat: beaten at 20\d\d-/)
  })
})
