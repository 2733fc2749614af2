import { randomUUID } from 'node:crypto'
import { createClient, type SupabaseClient } from '@supabase/supabase-js'
import pg from 'pg'
import { describe, expect, vi } from 'vitest'
import { startDataApi } from '../../fixtures/supabase/data-api.ts'
import { test as withDatabases } from '../support/test.ts'

const test = withDatabases.extend('api', async ({ database, onTestFinished }) => {
  const { url } = await database('as-found')
  const db = new pg.Client(url)
  await db.connect()
  const server = await startDataApi(url)
  onTestFinished(async () => {
    await server.stop()
    await db.end()
  })
  const ann = randomUUID()
  await db.query('insert into auth.users (id) values ($1)', [ann])
  await db.query('insert into public.user_profiles (user_id) values ($1)', [ann])
  const client = (key: string): SupabaseClient =>
    createClient(server.url, key, { auth: { persistSession: false, autoRefreshToken: false } })
  return { anon: client(server.anonKey), service: client(server.serviceKey), ann, db, url, server }
})

const use = (user: string) => ({
  user_id: user,
  action_type: 'transcription',
  model_used: 'm',
  tokens_used: 1,
})

// The very answers that production gave: routes that don't look at them lose tokens.
describe('the Data API answers as Supabase does', () => {
  test('anyone may insert what a policy WITH CHECK (true) lets in, and can’t read it back', async ({
    api,
  }) => {
    expect(await api.anon.from('token_usage').insert(use(api.ann))).toMatchObject({
      status: 201,
      error: null,
    })
    const readBack = await api.anon.from('token_usage').insert(use(api.ann)).select().single()
    expect(readBack).toMatchObject({ status: 401, error: { code: '42501' } })
  })

  // Would catch: an API that grants its roles what the schema has taken from them; every story would be told as well.
  test('a role may do what the schema lets it, and no more', async ({ api }) => {
    await api.db.query('revoke insert on public.token_usage from service_role')
    expect(await api.service.from('token_usage').insert(use(api.ann))).toMatchObject({
      status: 403,
      error: { code: '42501' },
    })
    const { rows } = await api.db.query(
      `select has_table_privilege('service_role', 'public.token_usage', 'insert') as may`,
    )
    expect(rows).toEqual([{ may: false }])
  })

  test('an update of hidden rows is no error, and changes nothing', async ({ api }) => {
    const update = { vibe_assistant_tokens_remaining: 1 }
    const answer = await api.anon.from('user_profiles').update(update).eq('user_id', api.ann)
    expect(answer).toMatchObject({ status: 204, error: null })
    const { data } = await api.service
      .from('user_profiles')
      .select('vibe_assistant_tokens_remaining')
      .single()
    expect(data).toEqual({ vibe_assistant_tokens_remaining: 0 })
  })

  test('a hidden row is not found', async ({ api }) => {
    const answer = await api.anon.from('user_profiles').select().eq('user_id', api.ann).single()
    expect(answer).toMatchObject({ status: 406, error: { code: 'PGRST116' } })
  })

  test('anyone may call a function that is SECURITY DEFINER', async ({ api }) => {
    const answer = await api.anon.rpc('grant_trial_tokens', {
      p_user_id: api.ann,
      p_subscription_id: null,
      p_tokens: 5,
      p_trial_period_days: 56,
    })
    expect(answer).toMatchObject({ status: 200, data: { success: true, new_balance: 5 } })
  })

  test('a call that no overload takes is not found', async ({ api }) => {
    const answer = await api.service.rpc('grant_annual_tokens', { p_user_id: api.ann })
    expect(answer).toMatchObject({ status: 404, error: { code: 'PGRST202' } })
  })

  test('the service key sees everything', async ({ api }) => {
    const answer = await api.service.from('user_profiles').select('user_id')
    expect(answer).toMatchObject({ status: 200, data: [{ user_id: api.ann }] })
  })

  test('a key that it did not hand out opens nothing', async ({ api }) => {
    const stranger = createClient(api.server.url, 'sb_secret_guessed', { auth: { persistSession: false } })
    expect(await stranger.from('membership_tiers').select()).toMatchObject({ status: 401 })
  })

  // Kills a server that prints what the database refused on the terminal of the test, and one that loses it.
  test('what the database refused is in its log, not on the terminal', async ({ api }) => {
    const terminal = vi.spyOn(process.stderr, 'write')
    const answer = await api.service.from('token_usage').insert({ ...use(api.ann), action_type: 'nonsense' })
    expect(answer.error?.message).toContain('token_usage_action_type_check')
    expect(terminal).not.toHaveBeenCalled()
    terminal.mockRestore()
    expect(api.server.log.at(-1)?.text).toContain('token_usage_action_type_check')
  })

  // Kills a server that brings its own schema along: the audit reads the database's own catalogue.
  test('it installs nothing in the database', async ({ api, database }) => {
    await api.service.from('user_profiles').select()
    const other = new pg.Client((await database('as-found')).url)
    await other.connect()
    const objects = `select n.nspname, c.relname, c.relkind from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname !~ '^pg_' order by 1, 2
      `
    const here = await api.db.query(objects)
    const there = await other.query(objects)
    await other.end()
    expect(here.rows).toEqual(there.rows)
  })
})
