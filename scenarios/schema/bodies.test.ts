import { Client } from 'pg'
import { describe } from 'vitest'
import { fillAsFound } from '../engine/healthy.ts'
import { brokenBodies, executeAll } from '../engine/schema-change/execute.ts'
import { readFacts } from '../engine/schema-change/facts.ts'
import { test } from '../support/test.ts'

async function run(url: string, sql: string): Promise<ReadonlyMap<string, string>> {
  const client = new Client(url)
  await client.connect()
  try {
    await client.query(sql)
    return await executeAll(url, (await readFacts(client)).functions.values())
  } finally {
    await client.end()
  }
}

// Postgres takes any text for a body: "successful" migrations have installed functions that could never run.
describe('a function that can never run is found by running it', () => {
  test.for<[string, string, string]>([
    [
      'a column that is gone',
      'alter table public.user_profiles drop column token_last_drip_date',
      'column "token_last_drip_date" of relation "user_profiles" does not exist',
    ],
    [
      'a value that the enum lacks',
      `create or replace function public.grant_annual_tokens(p_user_id uuid, p_subscription_id uuid) returns jsonb
       language plpgsql as $$ begin
         insert into public.token_transactions (user_id, action_type, tokens_used, tokens_remaining)
         values (p_user_id, 'annual_grant', 1, 1);
         return '{}'; end $$`,
      'invalid input value for enum token_action_type: "annual_grant"',
    ],
    [
      'a name that means two things',
      `create or replace function public.grant_annual_tokens(p_user_id uuid, p_subscription_id uuid) returns jsonb
       language plpgsql as $$ declare user_id uuid := p_user_id; begin
         perform 1 from public.user_profiles where user_id = p_user_id;
         return '{}'; end $$`,
      'column reference "user_id" is ambiguous',
    ],
  ])('%s', async ([, change, says], { database, databases, expect }) => {
    const filled = await databases.makeTemplate('healthy-as-found', fillAsFound, 'as-found')
    const { url } = await database(filled)
    const before = await run(url, 'select 1')
    const after = await run(url, change)
    expect(brokenBodies(before, after, () => undefined).map(({ what }) => what)).toContain(
      `public.grant_annual_tokens(uuid,uuid) can't run: ${says}`,
    )
  })

  // A function may refuse what it is given: that is no broken body.
  test('and one that raises, or divides by zero, is not', async ({ database, databases, expect }) => {
    const filled = await databases.makeTemplate('healthy-as-found', fillAsFound, 'as-found')
    const { url } = await database(filled)
    const failed = await run(
      url,
      `create function public.refuse(p_user_id uuid) returns void language plpgsql as $$ begin raise exception 'no'; end $$;
       create function public.divide(p_by int) returns int language sql as $$ select 1 / (p_by - 1) $$;
       create function public.kind(p_kind text) returns void language plpgsql as $$ begin
         raise exception 'unknown kind' using errcode = '22P02'; end $$;
       create function public.parse(p_id text) returns uuid language sql as $$ select p_id::uuid $$;
       create function public.many(p_names text[], p_days daterange, variadic p_more int[]) returns int language sql as $$ select 1 $$;
       create function public.any(p_some anyarray) returns int language sql as $$ select 1 $$;
       create procedure public.sweep(p_days int) language plpgsql as $$ begin null; end $$;`,
    )
    expect(failed).toEqual(new Map())
  })

  test('and nothing that it does stays', async ({ database, databases, expect }) => {
    const filled = await databases.makeTemplate('healthy-as-found', fillAsFound, 'as-found')
    const { url } = await database(filled)
    await run(url, 'select 1')
    const client = new Client(url)
    await client.connect()
    const { rows } = await client.query('select count(*)::int as n from public.token_transactions')
    await client.end()
    expect(rows).toEqual([{ n: 0 }])
  })
})
