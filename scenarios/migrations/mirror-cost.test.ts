import { expect } from 'vitest'
import { fillAsFound } from '../../fixtures/large-ledger/fill.ts'
import { inOneTransaction } from '../../fixtures/migrations/run.ts'
import { withDatabase } from '../../fixtures/postgres/connection.ts'
import { test } from '../support/test.ts'

const INDEXES = `
  create unique index token_usage_grant_key on public.token_usage (grant_key);
  create unique index token_usage_legacy_row
    on public.token_usage ((metadata ->> 'legacy_table'), (metadata ->> 'legacy_id'));
  analyze public.token_usage;`

/**
 * While the backfill runs, what the app writes is mirrored in its own transaction: its cost is the app's latency, and the
 * time for which unify's last step waits. One that read all of token_usage made unify give up at a million rows.
 */
test("a drip that arrives while unify is under way reads its user's rows, not the tables", async ({
  database,
}) => {
  const { url } = await database('as-found')
  await fillAsFound(url, { rows: 2_000, ends: new Date('2026-01-01T00:00:00Z') })
  await withDatabase(url, async (client) => {
    await inOneTransaction(client, ['view', 'unify-1-plan', 'unify-2-prepare'])
    await client.query(INDEXES)
  })
  // On a session of its own: Postgres counts what a session did before, too.
  await withDatabase(url, async (client) => {
    // Of tables as small as these Postgres reads all, unless there is no other way: in the large ones it would not.
    await client.query('set enable_seqscan = off')
    // One whose balance expires, so that both of its rows are looked for.
    await client.query('begin')
    await client.query(`
      insert into public.token_drips
        (user_id, subscription_id, drip_amount, drip_date, cycle_number, rollover_cycles_count, expired_tokens,
         balance_before, balance_after)
      select user_id, subscription_id, 375000, now(), 9, 0, 375000, 375000, 375000
      from public.token_drips order by id limit 1`)
    const { rows } = await client.query<{ name: string; read: string; added: string }>(`
      select relname as name, seq_tup_read::text as read, n_tup_ins::text as added
      from pg_stat_xact_user_tables where relname in ('token_usage', 'customer_subscriptions') order by 1`)
    expect(rows).toEqual([
      { name: 'customer_subscriptions', read: '0', added: '0' },
      { name: 'token_usage', read: '0', added: '2' },
    ])
  })
})
