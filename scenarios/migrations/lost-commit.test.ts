import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, vi } from 'vitest'
import { differences } from '../../fixtures/migrations/differences.ts'
import { toCsv } from '../../fixtures/migrations/reviewed.ts'
import { status } from '../../fixtures/migrations/status.ts'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import { command, type Run } from './cli.ts'
import type { Found } from './found.ts'
import { insertLegacy } from './installs.ts'
import { test } from './test.ts'

/** Where the connection is lost: with the commit on its way to the server, or with the answer on its way back. */
type Moment = 'before the server has the commit' | 'after it has committed'

/** A way to the server that is cut at the n-th commit. */
class Cut {
  readonly url: string
  readonly #server: Server

  private constructor(url: string, server: Server) {
    this.url = url
    this.#server = server
  }

  static async at(url: string, nth: number, moment: Moment): Promise<Cut> {
    const { hostname, port } = new URL(url)
    let commits = 0
    const server = createServer((client) => {
      const upstream = connect(Number(port), hostname)
      const both = [client, upstream]
      const end = (sockets: Socket[]) => sockets.forEach((socket) => void socket.destroy())
      let isCut = false
      for (const socket of both) socket.on('error', () => end(both)).on('close', () => end(both))
      client.on('data', (data) => {
        // A simple query: Q, its length, its text, 0.
        isCut ||= data.toString('latin1').includes('commit\0') && ++commits === nth
        if (isCut && moment === 'before the server has the commit') return end(both)
        upstream.write(data)
      })
      upstream.on('data', (data) => (isCut ? end(both) : client.write(data)))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const through = new URL(url)
    through.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
    return new Cut(through.href, server)
  }

  close(): void {
    this.#server.close()
  }
}

// Would catch: a commit that was lost and is told as done, one that landed and is told as not written, and a step that
// can't be taken once more.
test.for<[Moment, string[]]>([
  ['before the server has the commit', ['as-found', 'unify under way', 'unify', 'unify']],
  ['after it has committed', ['view', 'unify', 'unify', 'retired']],
])(
  'a connection lost at the commit, %s: status tells, and the step can be taken again',
  async ([moment, stages], { asFound: { database, found }, onTestFinished }) => {
    const landed = moment === 'after it has committed'
    const target = parseTarget(database.url)
    const ann = await found.user({ balance: 91 })
    await insertLegacy(found.db, { transactions: 'first' }, ann, {
      type: 'chat',
      tokens: 9,
      before: 100,
      after: 91,
      at: '2025-03-01T10:00:00Z',
    })
    const folder = await mkdtemp(join(tmpdir(), 'migrate-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const file = join(folder, 'lines.csv')

    /** What is said, with the way cut at the n-th commit; then whether it landed, by status; then what it says again. */
    const cutAt = async (nth: number, ...args: string[]): Promise<{ stage: string; again: Run }> => {
      const cut = await Cut.at(database.url, nth, moment)
      const lost = await command(...args, '--database', cut.url).finally(() => cut.close())
      expect(lost).toMatchObject({ code: 2, out: '' })
      expect(lost.err).toMatch(
        /^migrate: database \S+ on \S+: .*the connection was lost at the commit, which may have landed: .*\n$/,
      )
      await gone(found)
      const { stage } = await status(target)
      return { stage, again: await command(...args, '--database', database.url) }
    }

    const view = await cutAt(1, 'view')
    expect(view).toMatchObject({ stage: stages[0], again: { code: 0, err: '' } })
    // After the preparation and the validation: the one that makes the functions and records the moment.
    const unify = await cutAt(3, 'unify')
    expect(unify).toMatchObject({ stage: stages[1], again: { code: 0, err: '' } })
    expect((await status(target)).stage).toBe('unify')

    await writeFile(file, toCsv(await differences(target)))
    const adjust = await cutAt(1, 'adjust', '--file', file)
    expect(adjust.stage).toBe(stages[2])
    expect(adjust.again).toMatchObject(
      landed
        ? { code: 2, err: expect.stringMatching(/this file was posted before\n$/) }
        : { code: 0, err: '' },
    )
    expect((await differences(target)).findings).toEqual([])

    const retire = await cutAt(1, 'retire')
    expect(retire).toMatchObject({ stage: stages[3], again: { code: 0, err: '' } })
    expect((await status(target)).stage).toBe('retired')
  },
)

/** The server notices a lost connection a moment later. */
async function gone({ db }: Found): Promise<void> {
  await vi.waitFor(async () => {
    const { rows } = await db.query(
      `select pid from pg_stat_activity where datname = current_database() and application_name = 'token-ledger-migrate'`,
    )
    expect(rows).toEqual([])
  }, 10_000)
}
