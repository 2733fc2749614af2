import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Client, type QueryConfig } from 'pg'
import { DeadlineError } from './failure.ts'
import { type Encryption, encryptionsOf, wantsOtherWay, withoutEncryption } from './tls.ts'

/** What a statement returned: every value as Postgres wrote it, columns with the oid of their type. */
export interface Rows {
  readonly fields: readonly { readonly name: string; readonly type: number }[]
  readonly rows: readonly (readonly (string | null)[])[]
}

/** One connection of the audit: one statement a message, a deadline for each, and no error without a listener. */
export class Connection {
  readonly #client: Client
  readonly #socket: Socket
  readonly #deadlineMs: number
  #lost: Error | undefined
  /** The server's process behind it, since the first transaction: it must stay the same. */
  backend: string | undefined

  private constructor(client: Client, socket: Socket, deadlineMs: number) {
    this.#client = client
    this.#socket = socket
    this.#deadlineMs = deadlineMs
    // Without a listener a connection that ends while idle ends the process, and nobody is told anything.
    client.on('error', (error) => {
      this.#lost ??= error
    })
  }

  /**
   * @param connectMs how long the server has until it is ready for a query
   * @param deadlineMs how long a statement may take before the socket is destroyed: more than the server's own limit
   * @param signal aborted: the socket is destroyed
   */
  static async open(
    url: string,
    connectMs: number,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<Connection> {
    const ways = encryptionsOf(url)
    for (const [index, way] of ways.entries()) {
      try {
        return await Connection.#open(withoutEncryption(url), way, connectMs, deadlineMs, signal)
      } catch (error) {
        if (index === ways.length - 1 || !wantsOtherWay(error)) throw error
      }
    }
    throw new Error('there is no way to connect')
  }

  static async #open(
    url: string,
    encryption: Encryption,
    connectMs: number,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<Connection> {
    const socket = new Socket()
    const cut = () => socket.destroy()
    signal.addEventListener('abort', cut, { once: true })
    socket.once('close', () => signal.removeEventListener('abort', cut))
    const client = new Client({
      connectionString: url,
      ssl: encryption,
      connectionTimeoutMillis: connectMs,
      fallback_application_name: 'token-audit',
      stream: () => socket,
      // Nothing is parsed by the driver: a bigint is no number, and a Date has no microseconds.
      types: { getTypeParser: () => (value: string) => value },
    })
    catchMalformed(client)
    const connection = new Connection(client, socket, deadlineMs)
    try {
      await client.connect()
    } catch (error) {
      connection.cut()
      throw error
    }
    return connection
  }

  /** Runs exactly one statement: the extended protocol refuses a second one. */
  async query(text: string, values: readonly (string | null)[] = []): Promise<Rows> {
    if (this.#lost !== undefined) {
      throw this.#lost
    }
    const query: QueryConfig & { queryMode: 'extended'; rowMode: 'array' } = {
      text,
      values: [...values],
      queryMode: 'extended',
      rowMode: 'array',
    }
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const error = new DeadlineError(this.#deadlineMs)
        this.#lost = error
        this.cut()
        reject(error)
      }, this.#deadlineMs)
    })
    try {
      const { fields, rows } = await Promise.race([
        this.#client.query<(string | null)[]>(query as QueryConfig & { rowMode: 'array' }),
        deadline,
      ])
      return { fields: fields.map(({ name, dataTypeID }) => ({ name, type: dataTypeID })), rows }
    } finally {
      clearTimeout(timer)
    }
  }

  /** Takes leave of the server, and cuts the connection if that is not heard. */
  async close(): Promise<void> {
    if (this.#lost !== undefined) {
      this.cut()
      return
    }
    const timer = setTimeout(() => this.cut(), 1_000)
    await this.#client.end().catch(() => {})
    clearTimeout(timer)
  }

  cut(): void {
    this.#socket.destroy()
  }
}

/**
 * Turns what the driver throws for a message that it can't read, in the listener of its stream, where nobody would
 * catch it, into an error of the connection.
 */
function catchMalformed(client: Client): void {
  const { connection } = client as unknown as { connection: { attachListeners(stream: Duplex): void } }
  const attach = connection.attachListeners.bind(connection)
  connection.attachListeners = (stream) => {
    attach(stream)
    for (const read of stream.listeners('data')) {
      stream.off('data', read as () => void)
      stream.on('data', (bytes: Buffer) => {
        try {
          read(bytes)
        } catch (error) {
          stream.destroy(error as Error)
        }
      })
    }
  }
}
