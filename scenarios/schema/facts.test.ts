import { Client } from 'pg'
import { describe } from 'vitest'
import { splitStatements } from '../../fixtures/schema/statements.ts'
import { unmatched } from '../engine/schema-change/calls.ts'
import { opened, taken, valuesLost } from '../engine/schema-change/difference.ts'
import { type Facts, readFacts } from '../engine/schema-change/facts.ts'
import { test } from '../support/test.ts'

const nobody = () => undefined
const nothing = { signatures: new Set<string>(), names: new Set<string>() }
/** What the app as found calls. */
const CALLED_BEFORE = new Set([
  'public.grant_annual_tokens',
  'public.drip_tokens_28day',
  'public.grant_trial_tokens',
])

/** The facts of a database before and after a migration. */
async function around(url: string, sql: string): Promise<{ before: Facts; after: Facts }> {
  const client = new Client(url)
  await client.connect()
  try {
    const before = await readFacts(client)
    for (const statement of await splitStatements(sql, 'change.sql')) await client.query(statement.sql)
    return { before, after: await readFacts(client) }
  } finally {
    await client.end()
  }
}

const say = (findings: readonly { level: string; what: string }[]) =>
  findings.map(({ level, what }) => `${level}: ${what}`)

describe('a value that is no longer allowed is seen', () => {
  const recheck = (condition: string) => `
    alter table public.token_usage drop constraint token_usage_action_type_check;
    alter table public.token_usage add constraint t check (${condition}) not valid;`

  test.for<[string, string, RegExp]>([
    [
      'a CHECK that loses one',
      recheck("action_type in ('admin_grant', 'admin_deduct')"),
      /token_usage\.action_type no longer allows .*transcription/,
    ],
    // Two CHECKs allow what both allow.
    [
      'a second CHECK beside the first',
      "alter table public.token_usage add constraint t check (action_type <> '' and action_type in ('admin_grant')) not valid",
      /token_usage\.action_type no longer allows .*admin_deduct/,
    ],
    [
      'a list beside null',
      recheck("action_type is null or action_type in ('admin_grant')"),
      /no longer allows .*transcription/,
    ],
    [
      'values that are told one by one',
      recheck("action_type = 'admin_grant' or action_type = 'admin_deduct'"),
      /no longer allows .*transcription/,
    ],
    ['a CHECK of one value', recheck("action_type = 'admin_grant'"), /no longer allows .*transcription/],
    [
      'an enum that is made anew',
      `alter type public.token_action_type rename to old;
       create type public.token_action_type as enum ('chat', 'admin_grant');
       alter table public.token_transactions
         alter column action_type type public.token_action_type using action_type::text::public.token_action_type;
       drop type old;`,
      /enum public\.token_action_type no longer allows .*pack_purchase/,
    ],
  ])('%s', async ([, sql, finding], { database, expect }) => {
    const { before, after } = await around((await database('as-found')).url, sql)
    expect(say(valuesLost(before, after, nobody))).toEqual([expect.stringMatching(finding)])
  })

  test.for<[string, string]>([
    [
      'a CHECK with more values',
      recheck(
        "action_type = any (array['assessment_scoring','vision_generation','vision_refinement','blueprint_generation','chat_conversation','audio_generation','image_generation','transcription','admin_grant','admin_deduct','life_vision_category_summary','life_vision_master_assembly','prompt_suggestions','frequency_flip','new'])",
      ),
    ],
    ['no CHECK at all', 'alter table public.token_usage drop constraint token_usage_action_type_check'],
    ['a new label', "alter type public.token_action_type add value 'gift'"],
    ['a column that goes', 'alter table public.token_usage drop column action_type'],
    ['a CHECK that is no list', 'alter table public.token_usage add check (tokens_used >= 0) not valid'],
  ])('and %s is none', async ([, sql], { database, expect }) => {
    const { before, after } = await around((await database('as-found')).url, sql)
    expect(valuesLost(before, after, nobody)).toEqual([])
  })
})

describe('a door that opens is seen', () => {
  test.for<[string, string, string]>([
    [
      'row security switched off',
      'alter table public.token_usage disable row level security',
      'harm: anon and authenticated may now SELECT, INSERT, UPDATE, DELETE public.token_usage, without row security',
    ],
    [
      'a policy for everybody',
      'create policy all_rows on public.token_usage for select using (true)',
      'harm: anon and authenticated may now SELECT public.token_usage, by policy "all_rows" using true',
    ],
    // The policy has its old name; only its condition says that it lets everybody in.
    [
      'a policy that is widened',
      'alter policy "own profile: update" on public.user_profiles using (true)',
      'harm: anon and authenticated may now UPDATE public.user_profiles, by policy "own profile: update" using true',
    ],
    [
      'a table without row security',
      'create table public.extra (id int)',
      'harm: anon and authenticated may now SELECT, INSERT, UPDATE, DELETE public.extra, without row security',
    ],
    [
      'a view with its owner’s rights',
      'create view public.all_usage as select * from public.token_usage; revoke all on public.all_usage from anon; revoke insert, update, delete on public.all_usage from authenticated',
      'harm: authenticated may now SELECT public.all_usage, with its owner’s rights',
    ],
    [
      'a function that writes the ledger for whoever calls it',
      `create function public.gift(p_user uuid) returns void language sql security definer set search_path = '' as
         $$ update public.user_profiles set vibe_assistant_tokens_remaining = 1 where user_id = p_user $$`,
      'harm: anon and authenticated may now EXECUTE public.gift(uuid), which runs with its owner’s rights',
    ],
  ])('%s', async ([, sql, finding], { database, expect }) => {
    const { before, after } = await around((await database('as-found')).url, sql)
    expect(say(opened(before, after, nobody))).toEqual([finding])
  })

  test('a restriction that goes', async ({ database, expect }) => {
    const { url } = await database('as-found')
    const recent = `create policy recent on public.token_usage as restrictive for select using (tokens_used > 0)`
    await around(url, recent)
    const { before, after } = await around(url, 'drop policy recent on public.token_usage')
    expect(say(opened(before, after, nobody))).toEqual([
      'harm: anon and authenticated may now SELECT public.token_usage, by policy "own usage: select" using (auth.uid() = user_id)',
    ])
  })

  test('a column that was closed, a function that was, and a search_path that was pinned', async ({
    database,
    expect,
  }) => {
    const { before, after } = await around(
      (await database('unified')).url,
      `grant update (vibe_assistant_tokens_remaining) on public.user_profiles to authenticated;
       grant execute on function public.adjust_tokens to anon;
       alter function public.adjust_tokens reset search_path;`,
    )
    expect(say(opened(before, after, nobody))).toEqual([
      expect.stringContaining(
        'harm: authenticated may now UPDATE public.user_profiles (vibe_assistant_tokens_remaining), by policy',
      ),
      expect.stringMatching(
        /^harm: anon may now EXECUTE public\.adjust_tokens\(.*\), which runs with its owner’s rights$/,
      ),
      expect.stringMatching(/^harm: public\.adjust_tokens\(.*search_path is no longer pinned/),
    ])
  })

  // A rule that cries at every new table is switched off after a week.
  test('and what a new feature needs is only noted', async ({ database, expect }) => {
    const { before, after } = await around(
      (await database('as-found')).url,
      `create table public.notes (id int, user_id uuid);
       alter table public.notes enable row level security;
       create policy own on public.notes for select using (auth.uid() = user_id);
       create view public.my_notes with (security_invoker = true) as select * from public.notes;
       create function public.hello() returns text language sql as $$ select 'hello' $$;
       alter table public.user_profiles add column plan text;
       create or replace function public.grant_trial_tokens(
         p_user_id uuid, p_subscription_id uuid, p_tokens int, p_trial_period_days int)
       returns jsonb language sql security invoker as $$ select '{}'::jsonb $$;`,
    )
    expect(opened(before, after, nobody).filter(({ level }) => level !== 'note')).toEqual([])
  })
})

// A check that cries at every policy that is written more tightly, or as Supabase advises, is switched off.
test.for<[string, string]>([
  ['a restriction more', 'create policy recent on public.payment_history as restrictive using (amount > 0)'],
  ['another name', 'alter policy "own payments: select" on public.payment_history rename to mine'],
  [
    'a condition more',
    `alter policy "own payments: select" on public.payment_history using (auth.uid() = user_id and status = 'succeeded')`,
  ],
  [
    'the advice of Supabase',
    `drop policy "own payments: select" on public.payment_history;
     create policy "own payments" on public.payment_history for select to authenticated
       using ((select auth.uid()) = user_id)`,
  ],
  [
    'a view with the reader’s rights',
    'create view public.v with (security_invoker = yes) as select * from public.payment_history',
  ],
])('a policy with %s opens nothing', async ([, sql], { database, expect }) => {
  const { before, after } = await around((await database('as-found')).url, sql)
  expect(opened(before, after, nobody).filter(({ level }) => level === 'harm')).toEqual([])
})

test('what the app’s routes may no longer do, and what nothing holds unique any more, is seen', async ({
  database,
  expect,
}) => {
  const { before, after } = await around(
    (await database('as-found')).url,
    `revoke insert on public.token_usage from service_role;
     revoke execute on function public.grant_annual_tokens from public, service_role;
     drop index public.customer_subscriptions_one_live;
     alter table public.membership_tiers drop column name;`,
  )
  expect(say(taken(before, after, nobody, 'harm'))).toEqual([
    "harm: service_role may no longer INSERT public.token_usage: the app's routes come as service_role",
    "harm: service_role may no longer EXECUTE public.grant_annual_tokens(uuid,uuid): the app's routes come as service_role",
    expect.stringMatching(
      /^harm: nothing holds this unique any more: public\.customer_subscriptions USING btree \(user_id\) WHERE/,
    ),
  ])
})

// What becomes narrower has another policy, or another owner, and opens nothing.
test('a door that is closed by half is no door that opens', async ({ database, expect }) => {
  const { url } = await database('as-found')
  await around(
    url,
    'alter table public.token_usage disable row level security; create view public.v as select * from public.token_usage',
  )
  const { before, after } = await around(
    url,
    'alter table public.token_usage enable row level security; alter view public.v set (security_invoker = true)',
  )
  expect(opened(before, after, nobody)).toEqual([])
})

describe('a caller and a function that no longer fit are seen', () => {
  const gift = (body: string) =>
    `create function public.gift(p_user uuid) returns void language plpgsql as $$ begin ${body} end $$;`

  test.for<[string, string, RegExp]>([
    [
      'an overload that nobody calls',
      `create function public.grant_annual_tokens(p_user_id uuid, p_invoice text) returns jsonb language sql as $$ select '{}'::jsonb $$`,
      /^harm: no caller gives public\.grant_annual_tokens\(p_user_id uuid, p_invoice text\) its arguments/,
    ],
    // Same types, same place; who calls it by name gets an error that is only logged.
    [
      'arguments that are renamed',
      `drop function public.grant_annual_tokens;
       create function public.grant_annual_tokens(p_user uuid, p_subscription uuid) returns jsonb language sql as $$ select '{}'::jsonb $$`,
      /^harm: no caller gives public\.grant_annual_tokens\(p_user uuid, p_subscription uuid\) its arguments/,
    ],
    [
      'arguments that are renamed, whoever calls it',
      `drop function public.grant_trial_tokens;
       create function public.grant_trial_tokens(p_who uuid, p_subscription_id uuid, p_tokens int, p_trial_period_days int)
       returns jsonb language sql as $$ select '{}'::jsonb $$`,
      /^harm: (the arguments of public\.grant_trial_tokens\(p_user_id uuid, .*have other names|no caller gives public\.grant_trial_tokens\(p_who uuid)/,
    ],
    [
      'a call with an argument too many',
      gift("perform public.grant_annual_tokens(p_user, null, 'x');"),
      /^harm: public\.gift\(uuid\) calls public\.grant_annual_tokens with 3 by position, and no function takes that: there is public\.grant_annual_tokens\(uuid,uuid\)$/,
    ],
    [
      'a call by a name that the function does not have',
      gift('perform grant_annual_tokens(p_user, p_subscription => null);'),
      /^harm: public\.gift\(uuid\) calls grant_annual_tokens with 1 by position, p_subscription, and no function takes that/,
    ],
    [
      'a function that goes while another calls it',
      `${gift('perform public.grant_annual_tokens(p_user, null);')} drop function public.grant_annual_tokens;`,
      /^harm: public\.gift\(uuid\) calls public\.grant_annual_tokens with 2 by position, and there is no such function$/,
    ],
  ])('%s', async ([, sql, finding], { database, expect }) => {
    const { before, after } = await around((await database('as-found')).url, sql)
    const called = { signatures: new Set<string>(), names: CALLED_BEFORE }
    const findings = say(await unmatched(before, after, called, nobody)).filter((line) =>
      line.startsWith('harm'),
    )
    expect(findings).toEqual([expect.stringMatching(finding)])
  })

  test.for<[string, string]>([
    [
      'a call that leaves out what has a default',
      `create function public.f(a int, b int default 1) returns int language sql as $$ select a $$; ${gift('perform public.f(1); perform public.f(a => 1); perform public.f(1, b => 2);')}`,
    ],
    [
      'a query of that name',
      `create function public.totals(p_user uuid) returns int language sql as $$ select 1 $$;
       ${gift('perform 1 from (with totals (user_id, n) as (select p_user, 1) select * from totals) as t; perform public.totals(p_user);')}`,
    ],
    [
      'a function that Postgres has too',
      `create function public.date(a text, b text) returns text language sql as $$ select a || b $$;
       ${gift("perform date(now()); perform public.date('a', 'b');")}`,
    ],
    [
      'a text with a backslash',
      gift("raise notice E'it\\'s grant_annual_tokens(1)'; perform $q$ grant_annual_tokens(1) $q$;"),
    ],
    [
      'a name in a comment or a text',
      gift("-- grant_annual_tokens(1)\n raise notice 'grant_annual_tokens(1)'; /* grant_annual_tokens() */"),
    ],
    [
      'a table of the same name',
      `create table public.gift_log (a int); create function public.gift_log() returns int language sql as $$ select 1 $$; ${gift('insert into gift_log (a) values (1); perform gift_log();')}`,
    ],
    [
      'a variadic function',
      `create function public.v(variadic a int[]) returns int language sql as $$ select 1 $$; ${gift('perform public.v(1, 2, 3);')}`,
    ],
  ])('and %s fits', async ([, sql], { database, expect }) => {
    const { before, after } = await around((await database('as-found')).url, sql)
    const findings = say(await unmatched(before, after, nothing, nobody)).filter((line) =>
      line.startsWith('harm'),
    )
    expect(findings).toEqual([])
  })
})
