import { once } from 'node:events'
import { createConnection } from 'node:net'
import { Client } from 'pg'
import { describe, expect, inject, onTestFinished, test, vi } from 'vitest'
import { type Network, networkTo } from '../../fixtures/postgres/standbys/network.ts'
import { ask, session } from './support.ts'

/** A network to the run's Postgres. */
async function network(): Promise<Network> {
  const made = await networkTo(inject('postgresUrl'))
  onTestFinished(() => made.close())
  return made
}

/** A connection through it, and how many of its name the server has. */
async function connected(url: string, name: string) {
  const made = await session(url, name)
  onTestFinished(() => made.client.end().catch(() => {}))
  return made
}

const onServer = (name: string) =>
  ask(
    inject('postgresUrl'),
    `select count(*), count(*) filter (where state = 'active') from pg_stat_activity where application_name = '${name}'`,
  )

describe('a network', () => {
  test('passes what is said, however much, both ways', async () => {
    const { url } = await network()
    const { client } = await connected(url, 'much')
    const much = 'x'.repeat(3_000_000)
    const { rows } = await client.query('select $1::text as much', [much])
    expect(rows[0].much === much).toBe(true)
  })

  // Catches a proxy that only stops answers: the server would go on hearing the client, as no dead network lets it.
  test('that is held passes nothing in either direction, ends nothing, and loses nothing', async () => {
    const { url, hold, release } = await network()
    const { client } = await connected(url, 'held')
    await client.query('select 1')
    hold()
    const asked = client.query(`select 'heard' as answer`)
    // Whatever had been passed on would have been answered before these are.
    for (let i = 0; i < 20; i++) {
      expect(await onServer('held')).toEqual(['1', '0'])
      expect(
        await ask(
          inject('postgresUrl'),
          `select query from pg_stat_activity where application_name = 'held'`,
        ),
      ).toEqual(['select 1'])
    }
    release()
    expect((await asked).rows).toEqual([{ answer: 'heard' }])
  })

  test('that is held takes new connections, and says nothing to them', async () => {
    const { url, hold, release } = await network()
    hold()
    const client = new Client({ connectionString: url, application_name: 'late' })
    client.on('error', () => {})
    const connecting = client.connect()
    const socket = createConnection(Number(new URL(url).port), '127.0.0.1')
    onTestFinished(() => {
      socket.destroy()
    })
    await once(socket, 'connect')
    for (let i = 0; i < 20; i++) expect(await onServer('late')).toEqual(['0', '0'])
    release()
    await connecting
    expect(await onServer('late')).toEqual(['1', '0'])
    await client.end()
  })

  // Catches a proxy that notices who leaves: a dead network does not tell the server.
  test('that is held does not tell the server that a client has left', async () => {
    const { url, hold, release } = await network()
    const { client } = await connected(url, 'left')
    hold()
    const left = client.end()
    for (let i = 0; i < 20; i++) expect(await onServer('left')).toEqual(['1', '0'])
    release()
    await left
    await vi.waitFor(async () => expect(await onServer('left')).toEqual(['0', '0']), 10_000)
  })

  test('that is cut ends its connections on both sides, and takes new ones', async () => {
    const { url, cut } = await network()
    const { client, ended } = await connected(url, 'cut')
    cut()
    expect(await ended).toBeUndefined()
    await expect(client.query('select 1')).rejects.toThrow()
    await vi.waitFor(async () => expect(await onServer('cut')).toEqual(['0', '0']), 10_000)
    expect(await ask(url, 'select 1')).toEqual(['1'])
  })

  test('that is closed refuses', async () => {
    const { url, close } = await network()
    close()
    await expect(ask(url, 'select 1')).rejects.toThrow('ECONNREFUSED')
  })
})
