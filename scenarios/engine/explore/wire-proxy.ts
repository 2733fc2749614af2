import { createServer, type Server, Socket } from 'node:net'
import { Client } from 'pg'
import type { Fault } from '../plan.ts'
import type { WireLog } from './wire-log.ts'

/** What a session of the app asks of Postgres in one go: a simple query, or what ends with a Sync. */
export interface WireRequest {
  readonly session: WireSession
  /** Its statement, as far as it can be read. */
  readonly sql: string
  /** All that was sent, parameters included. */
  readonly bytes: Buffer
}

/** Decides about each request before Postgres sees it, and about each answer before the app does. */
export interface WireGate {
  /** `pass`, or the fault that happens to it. */
  before(request: WireRequest): Promise<'pass' | Fault>
  /** Resolves when the app may have the answer. */
  after(request: WireRequest): Promise<void>
}

/**
 * Stands between an app and its Postgres, and lets a gate hold, disturb and count the app's statements: in any language,
 * in any process, without a change of the app. What passes is what both sides said, byte for byte.
 * https://www.postgresql.org/docs/17/protocol.html
 *
 * Triggers in the database stop writes inside its functions, which are one statement on the wire; they can't stop between
 * two reads, and none fires at the commit: hence both.
 */
export class WireProxy {
  /** The database's URL by way of the proxy. */
  readonly url: string
  /** Undefined: everything passes. */
  gate: WireGate | undefined
  /** Undefined: what passes is not noted. */
  log: WireLog | undefined
  readonly sessions = new Set<WireSession>()
  readonly #server: Server
  readonly #admin: Client
  #ending: Promise<void> = Promise.resolve()
  readonly #stops: { client: Client; pid: number; placed: boolean; armed: Set<number> }

  private constructor(url: string, server: Server, admin: Client, stops: Client, pid: number) {
    this.url = url
    this.#server = server
    this.#admin = admin
    this.#stops = { client: stops, pid, placed: false, armed: new Set() }
  }

  static async start(databaseUrl: string): Promise<WireProxy> {
    const admin = await connect(databaseUrl)
    const stops = await connect(databaseUrl)
    const { rows } = await stops.query<{ pid: number }>('select pg_backend_pid() as pid')
    const target = new URL(databaseUrl)
    const server = createServer({ noDelay: true })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(0, '127.0.0.1', resolve)
    })
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
    const url = new URL(databaseUrl)
    url.hostname = '127.0.0.1'
    url.port = String(address.port)
    const proxy = new WireProxy(url.href, server, admin, stops, rows[0]?.pid ?? 0)
    server.on('connection', (app) => {
      const session = new WireSession(proxy, app, target)
      proxy.sessions.add(session)
      app.once('close', () => proxy.sessions.delete(session))
    })
    return proxy
  }

  /** The sessions that are inside a transaction. */
  get inTransaction(): readonly WireSession[] {
    return [...this.sessions].filter(({ status }) => status !== 'idle')
  }

  /** Whether the session waits for a lock: at a stop of ours, or for another session. */
  async waitsFor({ pid }: WireSession): Promise<'nothing' | 'stop' | 'another'> {
    const { rows } = await this.#admin.query<{ waits: 'nothing' | 'stop' | 'another' }>(
      `select case when cardinality(b.pids) = 0 then 'nothing' when $2 = any (b.pids) then 'stop' else 'another' end as waits
       from pg_blocking_pids($1) as b (pids)`,
      [pid, this.#stops.pid],
    )
    return rows[0]?.waits ?? 'nothing'
  }

  /**
   * Lets statements of the app stop at each write, inside the database's own functions too: a trigger waits for a lock
   * that we hold for its session.
   */
  async placeStops(): Promise<void> {
    if (this.#stops.placed) return
    await this.#admin.query(STOPS)
    this.#stops.placed = true
  }

  async removeStops(): Promise<void> {
    if (!this.#stops.placed) return
    await this.#admin.query('drop schema explore_stops cascade')
    this.#stops.placed = false
  }

  /** From now on this session stops at its next write. */
  async arm({ pid }: WireSession): Promise<void> {
    if (this.#stops.armed.has(pid)) return
    this.#stops.armed.add(pid)
    await this.#stops.client.query('select pg_advisory_lock($1, $2)', [STOP_LOCK, pid])
  }

  /** Lets it go on from the stop that it waits at, to the next one. */
  async passStop({ pid }: WireSession): Promise<void> {
    await this.#stops.client.query('select pg_advisory_unlock($1, $2)', [STOP_LOCK, pid])
    // Who waits has been let through first: this waits until it has gone on.
    await this.#stops.client.query('select pg_advisory_lock($1, $2)', [STOP_LOCK, pid])
  }

  async disarm(): Promise<void> {
    this.#stops.armed.clear()
    await this.#stops.client.query('select pg_advisory_unlock_all()')
  }

  /** Ends the session's backend, and resolves when it is gone; of several, one after the other. */
  end({ pid }: WireSession): Promise<void> {
    const ended = this.#ending.then(async () => {
      await this.#admin.query('select pg_terminate_backend($1, 5000)', [pid])
    })
    this.#ending = ended.catch(() => {})
    return ended
  }

  async close(): Promise<void> {
    for (const session of this.sessions) session.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
    await this.#stops.client.end()
    await this.#admin.end()
  }
}

async function connect(databaseUrl: string): Promise<Client> {
  const client = new Client({ connectionString: databaseUrl, application_name: 'wire-proxy' })
  client.on('error', () => {})
  await client.connect()
  return client
}

const STOP_LOCK = 0x746c_0002

const STOPS = `
create schema explore_stops;
create function explore_stops.stop() returns trigger language plpgsql as $stop$
begin
  perform pg_catalog.pg_advisory_lock_shared(${STOP_LOCK}, pg_catalog.pg_backend_pid());
  perform pg_catalog.pg_advisory_unlock_shared(${STOP_LOCK}, pg_catalog.pg_backend_pid());
  return null;
end
$stop$;
do $place$
declare t regclass;
begin
  for t in
    select c.oid from pg_catalog.pg_class as c
    where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
      and c.relname in ('token_usage', 'user_profiles', 'token_drips', 'token_transactions', 'customer_subscriptions')
  loop
    execute pg_catalog.format(
      'create trigger explore_stop before insert or update or delete on %s for each statement execute function explore_stops.stop()', t);
  end loop;
end
$place$;`

const QUERY = 0x51
const SYNC = 0x53
const PARSE = 0x50
const BIND = 0x42
const FLUSH = 0x48
const TERMINATE = 0x58
const READY = 0x5a
const BACKEND_KEY = 0x4b
const IDLE = 0x49

/** One connection of the app. */
export class WireSession {
  /** Of its backend; 0 until that is known. */
  pid = 0
  status: 'idle' | 'in transaction' = 'idle'
  /** Of those that overlap, the letter of the one that it works for; else empty. */
  lane = ''
  readonly #proxy: WireProxy
  readonly #app: Socket
  readonly #postgres: Socket
  readonly #prepared = new Map<string, string>()
  #ready = false
  #asked: Buffer[] = []
  #answered: Buffer[] = []
  #resolveAnswer: ((answer: Buffer | null) => void) | undefined
  /** Requests are dealt with one after the other. */
  #work: Promise<void> = Promise.resolve()

  constructor(proxy: WireProxy, app: Socket, target: URL) {
    this.#proxy = proxy
    this.#app = app
    this.#postgres = new Socket().connect(Number(target.port || 5432), target.hostname).setNoDelay(true)
    app.on(
      'data',
      splitInto((frame) => this.#fromApp(frame), true),
    )
    this.#postgres.on(
      'data',
      splitInto((frame) => this.#fromPostgres(frame), false),
    )
    for (const [socket, other] of [
      [app, this.#postgres],
      [this.#postgres, app],
    ] as const) {
      socket.on('error', () => {})
      socket.once('close', () => {
        this.#flushAnswer()
        this.#resolveAnswer?.(null)
        // What was written before has to arrive.
        other.end()
      })
    }
  }

  destroy(): void {
    this.#app.destroy()
    this.#postgres.destroy()
  }

  #fromApp(frame: Buffer): void {
    const kind = frame[0]
    // The handshake, and the farewell.
    if (!this.#ready || kind === TERMINATE) {
      this.#postgres.write(frame)
      return
    }
    this.#asked.push(frame)
    if (kind === FLUSH) {
      // Asks to have a statement described, and will say later whether to run it.
      const question = Buffer.concat(this.#asked)
      this.#sqlOf(this.#asked)
      this.#asked = []
      this.#work = this.#work.then(() => {
        this.#postgres.write(question)
      })
      return
    }
    if (kind !== QUERY && kind !== SYNC) return
    const bytes = Buffer.concat(this.#asked)
    const sql = this.#sqlOf(this.#asked)
    this.#asked = []
    this.#work = this.#work.then(() => this.#ask({ session: this, sql, bytes })).catch(() => this.destroy())
  }

  async #ask(request: WireRequest): Promise<void> {
    const { gate } = this.#proxy
    const verdict = (await gate?.before(request)) ?? 'pass'
    if (verdict === 'ended') await this.#proxy.end(this)
    const answer = await this.#answerTo(verdict === 'fails' ? FAILING : request.bytes)
    this.#proxy.log?.statement(this.lane, request.sql, verdict, answer)
    if (verdict === 'unanswered') {
      this.destroy()
      await gate?.after(request)
      return
    }
    await gate?.after(request)
    if (answer !== null) this.#app.write(answer)
  }

  /** Null: the connection ended without one. */
  #answerTo(bytes: Buffer): Promise<Buffer | null> {
    if (this.#postgres.destroyed || this.#postgres.readableEnded) return Promise.resolve(null)
    return new Promise((resolve) => {
      this.#resolveAnswer = (answer) => {
        this.#resolveAnswer = undefined
        resolve(answer)
      }
      this.#postgres.write(bytes)
    })
  }

  #fromPostgres(frame: Buffer): void {
    const kind = frame[0]
    if (kind === BACKEND_KEY) this.pid = frame.readInt32BE(5)
    if (!this.#ready) {
      this.#app.write(frame)
      this.#ready = kind === READY
      return
    }
    if (this.#resolveAnswer === undefined) {
      this.#app.write(frame)
      return
    }
    this.#answered.push(frame)
    if (kind !== READY) return
    this.status = frame[5] === IDLE ? 'idle' : 'in transaction'
    const answer = Buffer.concat(this.#answered)
    this.#answered = []
    this.#resolveAnswer(answer)
  }

  /** What an ending backend has said without being asked. */
  #flushAnswer(): void {
    if (this.#answered.length > 0 && this.#app.writable) this.#app.write(Buffer.concat(this.#answered))
    this.#answered = []
    this.status = 'idle'
  }

  #sqlOf(frames: readonly Buffer[]): string {
    for (const frame of frames) {
      if (frame[0] === QUERY) return textAt(frame, 5)
      if (frame[0] === PARSE) {
        const name = textAt(frame, 5)
        const sql = textAt(frame, 5 + Buffer.byteLength(name) + 1)
        this.#prepared.set(name, sql)
        return sql
      }
      if (frame[0] === BIND) {
        const portal = textAt(frame, 5)
        return this.#prepared.get(textAt(frame, 5 + Buffer.byteLength(portal) + 1)) ?? ''
      }
    }
    return ''
  }
}

function textAt(frame: Buffer, start: number): string {
  return frame.toString('utf8', start, frame.indexOf(0, start))
}

/** In the place of a statement: an error of Postgres, in whatever transaction there is. */
const FAILING = simpleQuery(
  `do $$ begin raise exception 'could not write: the plan wants it' using errcode = 'io_error'; end $$`,
)

function simpleQuery(sql: string): Buffer {
  const text = Buffer.from(`${sql}\0`)
  const head = Buffer.alloc(5)
  head[0] = QUERY
  head.writeInt32BE(text.length + 4, 1)
  return Buffer.concat([head, text])
}

/** Cuts a stream into the protocol's messages; the app's first one has no kind before its length. */
function splitInto(take: (frame: Buffer) => void, startsBare: boolean): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  let bare = startsBare
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    for (;;) {
      const lengthAt = bare ? 0 : 1
      if (rest.length < lengthAt + 4) return
      const length = rest.readInt32BE(lengthAt) + lengthAt
      if (rest.length < length) return
      const frame = rest.subarray(0, length)
      rest = rest.subarray(length)
      // SSLRequest and GSSENCRequest are answered by one byte, which is no message: apps of ours don't ask.
      bare = false
      take(frame)
    }
  }
}
