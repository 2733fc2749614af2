import type { Client, QueryConfig } from 'pg'
import { describe, expect, inject, onTestFinished, test } from 'vitest'
import { transactionPooler } from '../../fixtures/postgres/standbys/pooler.ts'
import { ask, session } from './support.ts'

const PID = 'select pg_backend_pid() as pid'

/** Clients of one pooler in front of the run's Postgres. */
async function clients(count: number, size?: number): Promise<Client[]> {
  const pooler = await transactionPooler(inject('postgresUrl'), size)
  onTestFinished(() => pooler.close())
  const made: Client[] = []
  for (let i = 0; i < count; i++) made.push((await session(pooler.url, `guest-${i}`)).client)
  return made
}

async function pidOf(client: Client): Promise<number> {
  return (await client.query<{ pid: number }>(PID)).rows[0]?.pid ?? Number.NaN
}

describe('a pooler in transaction mode', () => {
  test('gives a transaction one connection of the server, and takes it back at its end', async () => {
    const [first, second] = (await clients(2)) as [Client, Client]
    await first.query('begin')
    const own = await pidOf(first)
    const others = await pidOf(second)
    expect(others).not.toBe(own)
    expect(await pidOf(first)).toBe(own)
    await first.query('commit')
    await second.query('begin')
    // Given back last, used first: what pgbouncer does, so that a client alone sees the same backend again and again.
    expect(await pidOf(second)).toBe(own)
    expect(await pidOf(first)).toBe(others)
    await second.query('rollback')
  })

  test('lets a client alone believe that it has a session', async () => {
    const [alone] = (await clients(1)) as [Client]
    const seen = [await pidOf(alone), await pidOf(alone), await pidOf(alone)]
    expect(new Set(seen).size).toBe(1)
  })

  // Catches a client that trusts what it set: it stays behind on a connection that somebody else has next.
  test('leaves a setting of one client to the next one', async () => {
    const [first, second] = (await clients(2)) as [Client, Client]
    await first.query(`set statement_timeout = '7s'`)
    const { rows } = await second.query('show statement_timeout')
    expect(rows).toEqual([{ statement_timeout: '7s' }])
  })

  test('drops what a client asks for when it connects', async () => {
    const pooler = await transactionPooler(inject('postgresUrl'))
    onTestFinished(() => pooler.close())
    const url = new URL(pooler.url)
    url.searchParams.set('options', '-c statement_timeout=7s')
    expect(await ask(url.href, 'show statement_timeout')).toEqual(['0'])
  })

  test('names a process of its own to its clients, not that of the server', async () => {
    const [client] = (await clients(1)) as [Client]
    const { processID } = client as unknown as { processID: number }
    expect(processID).not.toBe(await pidOf(client))
  })

  test('passes the extended protocol, values, errors and all', async () => {
    const [client] = (await clients(1)) as [Client]
    const extended = (text: string, values: unknown[]) =>
      client.query({ text, values, queryMode: 'extended' } as QueryConfig)
    expect((await extended('select $1::int + 1 as next', [41])).rows).toEqual([{ next: 42 }])
    await expect(extended('select 1 / $1::int', [0])).rejects.toMatchObject({ code: '22012' })
    await expect(extended('select 1; select 2', [])).rejects.toMatchObject({ code: '42601' })
    expect((await extended('select $1::text as long', ['é'.repeat(400_000)])).rows[0].long).toHaveLength(
      400_000,
    )
  })

  test('keeps the connection of a transaction that failed until it is rolled back', async () => {
    const [first, second] = (await clients(2)) as [Client, Client]
    await first.query('begin')
    const own = await pidOf(first)
    await expect(first.query('select 1 / 0')).rejects.toThrow('division by zero')
    expect(await pidOf(second)).not.toBe(own)
    await expect(first.query('select 1')).rejects.toThrow('current transaction is aborted')
    await first.query('rollback')
    expect(await pidOf(first)).toBe(own)
  })

  // Catches a pool that runs dry: a client that is cut off in a transaction would keep a connection for ever.
  test('has a connection again when a client left in the middle of a transaction', async () => {
    const [first, second] = (await clients(2, 1)) as [Client, Client]
    await first.query('begin')
    const own = await pidOf(first)
    const waiting = pidOf(second)
    await first.end()
    expect(await waiting).not.toBe(own)
  })

  test('lets a client wait until a connection is free', async () => {
    const [first, second] = (await clients(2, 1)) as [Client, Client]
    await first.query('begin')
    const own = await pidOf(first)
    const waiting = pidOf(second)
    await first.query('commit')
    expect(await waiting).toBe(own)
  })
})
