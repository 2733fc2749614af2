import { cp, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'vitest'
import { type Break, readBreaks } from '../../audits/catalogue.ts'
import type { Databases } from '../../fixtures/postgres/databases.ts'
import { readSchema } from '../../fixtures/schema/schema.ts'
import { templateOf } from '../engine/given-schema.ts'
import { allRules } from '../engine/outcome.ts'
import { applyChange, factsOf } from '../engine/schema-change/apply-change.ts'
import { changeBetween } from '../engine/schema-change/change.ts'
import { onClone } from '../engine/schema-change/clone.ts'
import { compareOnRows } from '../engine/schema-change/on-rows.ts'
import { test } from '../support/test.ts'

const ROOT = join(import.meta.dirname, '../..')

const CATALOGUE = await allRules()
const BREAKS = await readBreaks(join(ROOT, 'audits/breaks'), CATALOGUE)

/** What a migration does to healthy rows, a line each; `breaks`: which faults the audit must go on seeing. */
async function harmsOf(databases: Databases, sql: string, breaks: readonly Break[] = []): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'rows-'))
  const app = join(ROOT, 'fixtures/examples/app/supabase/migrations')
  await cp(app, folder, { recursive: true })
  await writeFile(join(folder, '20250301000000_change.sql'), sql)
  const [before, after] = [await readSchema(app), await readSchema(folder)]
  const change = changeBetween(before, after)
  const old = await templateOf(databases, before)
  const applied = await applyChange(databases, old, after, change)
  if ('failed' in applied) return [applied.failed.what]
  const { template, blame } = applied
  const facts = {
    before: await onClone(databases, old, factsOf),
    after: await onClone(databases, template, factsOf),
  }
  const inquiry = {
    before,
    after,
    change,
    catalogue: CATALOGUE,
    breaks,
    stories: [],
    stripeMockUrl: undefined,
    report: () => {},
  }
  const { findings } = await compareOnRows(databases, inquiry, { old, template, facts, blame })
  return findings.filter(({ level }) => level === 'harm').map(({ what }) => what)
}

// A migration is green on the empty tables of a test; what it does to rows is what production gets.
describe('on the rows of a healthy ledger', () => {
  test('a backfill that is wrong is seen', async ({ databases, expect }) => {
    expect(
      await harmsOf(
        databases,
        `update public.token_usage set tokens_used = 2 * tokens_used where action_type = 'admin_grant'`,
      ),
    ).toContain('invariant turned red on the rows of a healthy ledger: balance-is-ledger-sum-as-found')
  })

  test('a CHECK that is narrower than what is stored is seen', async ({ databases, expect }) => {
    expect(
      await harmsOf(
        databases,
        'alter table public.token_usage add constraint large check (tokens_used > 1000000)',
      ),
    ).toContain(
      'it fails on the rows of a healthy ledger: check constraint "large" of relation "token_usage" is violated by some row',
    )
  })

  // The fault is still there for whoever uses the app; it is the audit that has become blind.
  test('a trigger that hides a fault from the audit is seen', async ({ databases, expect }) => {
    expect(
      await harmsOf(
        databases,
        `create function public.keep() returns trigger language plpgsql as $$ begin
           if new.vibe_assistant_tokens_remaining = old.vibe_assistant_tokens_remaining + 100 then return null; end if;
           return new; end $$;
         create trigger keep before update on public.user_profiles for each row execute function public.keep();`,
        BREAKS,
      ),
    ).toEqual([
      'the audit no longer sees this fault: A user starts with 100 tokens and no row (as-found-balance-raised; balance-is-ledger-sum-as-found stays green)',
    ])
  })

  // It passes on an empty table, and the first row of production stops it.
  test('a column that old rows can’t fill is seen', async ({ databases, expect }) => {
    expect(
      await harmsOf(databases, 'alter table public.user_profiles add column handle text not null'),
    ).toEqual([
      'it fails on the rows of a healthy ledger: column "handle" of relation "user_profiles" contains null values',
    ])
  })

  test('a new column, a new table and a new type are no harm', async ({ databases, expect }) => {
    expect(
      await harmsOf(
        databases,
        `alter table public.token_usage add column request_id text;
         alter type public.token_action_type add value 'gift';
         create table public.gifts (id uuid primary key default gen_random_uuid());`,
        BREAKS,
      ),
    ).toEqual([])
  })
})
