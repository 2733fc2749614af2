import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { Client } from 'pg'
import { describe } from 'vitest'
import { audit } from '../../audits/audit.ts'
import { readCatalogue } from '../../audits/catalogue.ts'
import { parseEvidence } from '../../audits/evidence.ts'
import { dryRun } from '../../fixtures/migrations/dry-run.ts'
import { beat, installHeartbeat } from '../../fixtures/migrations/heartbeat.ts'
import { migrate as migrateTo } from '../../fixtures/migrations/run.ts'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import { fillAsFound, fillUnified } from '../engine/healthy.ts'
import { test } from '../support/test.ts'

const ROOT = join(import.meta.dirname, '../..')

/** What heartbeat.sql says that undoes it. */
const UNDO = 'drop function public.token_audit_beat(); drop table public.token_audit_heartbeat'

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
    const clock = async () => Number((await rows(url, 'select clock_timestamp() as at'))[0]?.at)
    const start = await clock()
    const first = await installHeartbeat(target)
    const second = await installHeartbeat(target)
    const third = await beat(target)
    const end = await clock()
    expect(first.beatenAt.getTime()).toBeGreaterThanOrEqual(start)
    expect(third.getTime()).toBeLessThanOrEqual(end)
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
    const [guards] = await rows(
      url,
      `select c.relrowsecurity as rows, p.proconfig as settings
       from pg_class as c, pg_proc as p
       where c.oid = 'public.token_audit_heartbeat'::regclass
         and p.oid = 'public.token_audit_beat()'::regprocedure`,
    )
    expect(guards).toEqual({ rows: true, settings: ['search_path=""'] })
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

  // A stand-in with pg_cron's signature, which replaces a job of the same name as pg_cron does: the extension is not
  // among the tests' binaries.
  test('is scheduled each minute where pg_cron is, as one job however often it is installed', async ({
    database,
    expect,
  }) => {
    const { url } = await database('as-found')
    await rows(
      url,
      `create schema cron; create table cron.job (jobname text primary key, schedule text, command text);
       create function cron.schedule(job_name text, schedule text, command text) returns bigint language sql as
       'insert into cron.job values ($1, $2, $3)
        on conflict (jobname) do update set schedule = excluded.schedule, command = excluded.command
        returning 1::bigint'`,
    )
    expect((await installHeartbeat(parseTarget(url))).scheduled).toBe(true)
    const { out } = await migrate('heartbeat', '--database', url)
    expect(out).toContain('pg_cron beats each minute (job token-audit-heartbeat)')
    const jobs = await rows(url, 'select * from cron.job')
    expect(jobs).toEqual([
      {
        jobname: 'token-audit-heartbeat',
        schedule: '* * * * *',
        command: 'select public.token_audit_beat()',
      },
    ])
    await rows(url, String(jobs[0]?.command))
  })

  test('changes no verdict of the audit at any stage, and not the stage', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const evidence = parseEvidence(await fillAsFound(url), 'healthy')
    const catalogue = await readCatalogue(join(ROOT, 'audits/invariants'))
    const judged = async () => {
      const [target] = (await audit({ targets: [{ name: 'a', url }], catalogue, evidence })).targets
      return {
        stage: target?.stage,
        problem: target?.problem,
        rules: target?.invariants.map(({ id, status }) => ({ id, status })),
      }
    }
    for (const stage of ['as-found', 'view', 'unify'] as const) {
      if (stage !== 'as-found') await migrateTo(parseTarget(url), stage)
      const without = await judged()
      expect(without).toMatchObject({ stage, problem: null })
      await installHeartbeat(parseTarget(url))
      expect(await judged()).toEqual(without)
      if (stage !== 'as-found') {
        expect(await dryRun(parseTarget(url), stage)).toMatchObject({
          nothingToDo: true,
        })
      }
      await rows(url, UNDO)
    }
  })

  test('is green on a healthy ledger', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const evidence = parseEvidence(await fillUnified(url), 'healthy')
    await installHeartbeat(parseTarget(url))
    const catalogue = await readCatalogue(join(ROOT, 'audits/invariants'))
    const report = await audit({ targets: [{ name: 'a', url }], catalogue, evidence })
    expect(report).toMatchObject({
      exit: 0,
      targets: [{ freshness: { by: 'heartbeat' }, stage: 'unify' }],
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
    expect(installed.out).toContain('grant select on public.token_audit_heartbeat to token_audit')
    expect(installed.code).toBe(0)
    expect((await migrate('beat', '--database', url)).out).toMatch(/^heartbeat: beaten at 20\d\d-/)
  })
})
