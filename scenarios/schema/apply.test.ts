import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { describe } from 'vitest'
import { applySchema } from '../../fixtures/schema/apply.ts'
import { readSchema, type Schema } from '../../fixtures/schema/schema.ts'
import { install } from '../engine/given-schema.ts'
import { IN_ORDER } from '../engine/plan.ts'
import { Play } from '../engine/play.ts'
import { storiesNamed } from '../engine/stories.ts'
import type { Story } from '../engine/story.ts'
import { test } from '../support/test.ts'

const AS_FOUND = join(import.meta.dirname, '../../fixtures/schema/as-found.sql')

async function folder(files: Readonly<Record<string, string>>): Promise<Schema> {
  const path = await mkdtemp(join(tmpdir(), 'schema-'))
  for (const [name, sql] of Object.entries(files)) await writeFile(join(path, name), sql)
  return readSchema(path)
}

async function dump(sql: string): Promise<Schema> {
  const path = join(await mkdtemp(join(tmpdir(), 'schema-')), 'dump.sql')
  await writeFile(path, sql)
  return readSchema(path)
}

async function ask<Row extends object>(url: string, sql: string): Promise<Row[]> {
  const client = new Client(url)
  await client.connect()
  try {
    return (await client.query<Row>(sql)).rows
  } finally {
    await client.end()
  }
}

describe('a schema is applied', () => {
  test('with what a Supabase project leans on: extensions, auth, storage, cron, realtime, its publication', async ({
    database,
    expect,
  }) => {
    const { url } = await database('supabase')
    const { files } = await folder({
      '1_a.sql': `
        create schema if not exists public;
        create extension if not exists "uuid-ossp" with schema extensions;
        create extension if not exists pgcrypto with schema extensions;
        create extension if not exists pg_cron;
        create extension if not exists pg_net with schema extensions;
        comment on extension pg_cron is 'jobs';
        create role app_reader nologin;
        create table public.notes (
          id uuid primary key default uuid_generate_v4(), owner uuid references auth.users (id), body text);
        alter table public.notes enable row level security;
        create policy own on public.notes using (auth.uid() = owner and auth.jwt() is not null);
        create policy files on storage.objects for select using ((storage.foldername(name))[1] = 'a');
        grant select on public.notes to app_reader;
        alter publication supabase_realtime add table public.notes;
        create function public.handle_new_user() returns trigger language plpgsql security definer as $$
          begin insert into public.notes (owner, body) values (new.id, new.raw_user_meta_data ->> 'name'); return new; end $$;
        create trigger on_auth_user_created after insert on auth.users
          for each row execute function public.handle_new_user();
        select cron.schedule('nightly', '0 3 * * *', $$ delete from public.notes $$);
        insert into storage.buckets (id, name, public) values ('a', 'a', true);
        select vault.create_secret('s', 'name');`,
    })
    const skipped = await applySchema(url, files)
    expect(skipped.map(({ line, why }) => [line, why])).toEqual([
      [5, 'a stand-in for pg_cron is there, which keeps what it is told and does nothing'],
      [6, 'a stand-in for pg_net is there, which keeps what it is told and does nothing'],
      [8, 'roles are the server’s, not the database’s; a plain one of this name is made'],
    ])
    await ask(url, `insert into auth.users (email, raw_user_meta_data) values ('a@b.c', '{"name": "ann"}')`)
    expect(await ask(url, 'select body from public.notes')).toEqual([{ body: 'ann' }])
  })

  // What runs on a Tuesday in production is this file's transaction; a suite that splits it would be green for it.
  test('a file in one transaction, as Supabase does it: a new enum value can’t be used in the file that adds it', async ({
    database,
    expect,
  }) => {
    const { url } = await database('supabase')
    const { files } = await folder({
      '1_a.sql': `create type public.kind as enum ('a'); create table public.t (k public.kind);`,
      '2_b.sql': `create table public.gone (id int);\nalter type public.kind add value 'b';\n\ninsert into public.t\n  values ('b');`,
    })
    await expect(applySchema(url, files)).rejects.toThrow(/2_b\.sql:5: unsafe use of new value "b"/)
    expect(
      await ask(url, `select to_regclass('public.gone') as gone, to_regclass('public.t')::text as t`),
    ).toEqual([{ gone: null, t: 't' }])
  })

  test('a file that Postgres refuses in a transaction, without one', async ({ database, expect }) => {
    const { url } = await database('supabase')
    const { files } = await folder({
      '1_a.sql': 'create table public.t (id int);',
      '2_b.sql': 'create index concurrently t_id on public.t (id);',
      '3_c.sql': 'begin; alter table public.t add column a int; commit;',
    })
    await applySchema(url, files)
    expect(await ask(url, `select to_regclass('public.t_id')::text as index`)).toEqual([{ index: 't_id' }])
  })

  test.for<[string, string, string]>([
    [
      'a missing table',
      'select 1;\n\nalter table public.nobody\n  add column a int;',
      ':3: relation "public.nobody" does not exist',
    ],
    [
      'a type of an extension that is not here',
      'create extension vector;\ncreate table public.t (e vector(3));',
      ':2: type "vector" does not exist (vector was skipped at ',
    ],
    [
      'a program on the server',
      "\ncopy auth.users from program 'id'",
      ':2: COPY … PROGRAM runs a program on the server',
    ],
    [
      'a constraint that fails at commit',
      'create table public.t (id int primary key, r int references public.t deferrable initially deferred);\ninsert into public.t values (1, 2);',
      ':2: insert or update on table "t" violates foreign key constraint',
    ],
  ])('%s stops it with file, line and Postgres’ own message', async ([, sql, says], { database, expect }) => {
    const { url } = await database('supabase')
    const { files } = await folder({ '1_a.sql': sql })
    await expect(applySchema(url, files)).rejects.toThrow(`1_a.sql${says}`)
  })
})

// Somebody else's tables have more columns than those we know, and make profiles by themselves.
test('users and plans are added to tables that need more than we know', async ({ database, expect }) => {
  const { url } = await database('supabase')
  const { files } = await readSchema(AS_FOUND)
  await install(
    url,
    await folder({
      '1_a.sql': String(files[0]?.text),
      '2_b.sql': `
        delete from public.membership_tiers;
        alter table public.membership_tiers
          add column slug text not null unique, add column features jsonb not null, add column rank int not null;
        alter table public.user_profiles
          add column handle text not null unique, add column mood text not null check (mood in ('good', 'bad'));
        create function public.welcome() returns trigger language plpgsql security definer as $$ begin
          insert into public.user_profiles (user_id, handle, mood) values (new.id, new.email, 'good'); return new; end $$;
        create trigger welcome after insert on auth.users for each row execute function public.welcome();`,
    }),
  )
  const play = await Play.open({ databaseUrl: url })
  try {
    const app = await play.startApp('as-found')
    const [story] = storiesNamed(['mixture-several-users'])
    const { played } = await play.perform(story as Story, app, { plan: IN_ORDER }).finally(() => app.close())
    expect(played.length).toBeGreaterThan(0)
  } finally {
    await play.close()
  }
  expect(await ask(url, `select tier_type::text as tier from public.membership_tiers order by 1`)).toEqual([
    { tier: 'elite' },
    { tier: 'vision_pro_28day' },
    { tier: 'vision_pro_annual' },
  ])
})

describe('a dump', () => {
  // On top of Supabase's default privileges a dump would open to anon what its database had closed.
  test('opens nothing that its database had closed', async ({ database, expect }) => {
    const { url } = await database('supabase')
    const { files } = await readSchema(AS_FOUND)
    const text = `-- PostgreSQL database dump\n${files[0]?.text}`
    await install(url, await dump(text))
    expect(
      await ask(url, `select has_table_privilege('anon', 'public.token_usage', 'insert') as insert`),
    ).toEqual([{ insert: false }])
  })

  test('of a unified database is of stage unify, although it holds no rows', async ({ database, expect }) => {
    const { url } = await database('supabase')
    const { files } = await readSchema(AS_FOUND)
    const unified = await dump(
      `${files[0]?.text}
       alter table public.token_usage add column grant_key text;
       create view public.token_ledger as select 1 as one;
       create table public.token_ledger_stage (stage text, applied_at timestamptz);`,
    )
    expect(await install(url, unified)).toMatchObject({ stage: 'unify', stageFromColumns: true })
  })

  test('whose stage can’t be told is not judged', async ({ database, expect }) => {
    const { url } = await database('supabase')
    const { files } = await readSchema(AS_FOUND)
    const half = await dump(`${files[0]?.text}\nalter table public.token_usage add column grant_key text;`)
    await expect(install(url, half)).rejects.toThrow('is a migration under way, or was one run by half?')
  })
})
