import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { AppEnv, AppRevision } from '../../fixtures/app/app.ts'
import type { LogLine } from '../../fixtures/captured-console.ts'

const SERVE = join(import.meta.dirname, '../../fixtures/app/serve.ts')

/** How long an app that is told to stop may take, before it is killed. */
const FAREWELL_MS = 2_000

/** How long a process may be there still when its connections are closed. */
const DYING_MS = 500

/** An app in a process of its own, which can be killed, and started again at the same URL. It ends with this process. */
export class AppProcess {
  /** What it has said, oldest first: on its standard output, and as an error what it said on the other. */
  readonly log: LogLine[] = []
  /** Told how it ended, when it was not told to. */
  onEnd: ((how: string) => void) | undefined
  readonly #revision: string
  readonly #env: AppEnv
  #child: ChildProcess | undefined
  #url = ''
  #isToldToEnd = false

  private constructor(revision: string, env: AppEnv) {
    this.#revision = revision
    this.#env = env
  }

  /** Throws with what it said where it does not come to listen. */
  static async start(revision: AppRevision | (string & {}), env: AppEnv): Promise<AppProcess> {
    const app = new AppProcess(revision, env)
    await app.start()
    return app
  }

  get url(): string {
    return this.#url
  }

  /** How it ended; undefined: it runs. */
  get end(): string | undefined {
    const { exitCode, signalCode } = this.#child ?? {}
    if (exitCode === null && signalCode === null) return undefined
    // Below an error that nobody caught, Node prints its stack and its own version.
    const said = this.log.findLast(({ text }) => /error/i.test(text)) ?? this.log.at(-1)
    return `its process ended with ${exitCode ?? signalCode}${said ? `: ${said.text}` : ''}`
  }

  /** How it ended; waits a moment for it, where its connections are closed already. */
  async endSoon(): Promise<string | undefined> {
    const child = this.#child
    if (child !== undefined && this.end === undefined)
      await once(child, 'exit', { signal: AbortSignal.timeout(DYING_MS) }).catch(() => {})
    return this.end
  }

  /** Starts it again where it was; resolves when it listens. */
  async start(): Promise<void> {
    const port = this.#url === '' ? '0' : new URL(this.#url).port
    const child = fork(SERVE, ['--app', this.#revision, '--port', port], {
      env: { ...this.#env },
      execArgv: [],
      // Ctrl-C is meant for the command, and is no end that the app has come to by itself.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#child = child
    this.#isToldToEnd = false
    this.#url = await new Promise<string>((resolve, reject) => {
      const hear = (from: Readable | null, level: LogLine['level']) =>
        createInterface({ input: from as Readable }).on('line', (text) => {
          const [, url] = /^app .* listens on (\S+)$/.exec(text) ?? []
          if (url === undefined) this.log.push({ level, text })
          else resolve(url)
        })
      hear(child.stdout, 'log')
      hear(child.stderr, 'error')
      child.once('error', reject)
      child.once('exit', () => {
        if (this.#url !== '' && !this.#isToldToEnd) this.onEnd?.(this.end ?? '')
      })
      child.once('close', () =>
        reject(new Error(`the app ${this.#revision} does not start: ${this.end ?? 'its output ended'}`)),
      )
    })
  }

  /** Ends it at once, wherever it is; resolves when it is gone. */
  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  /** Stops it as a deployment does: it may end what it is doing. It can be started again. */
  async close(): Promise<void> {
    const timer = setTimeout(() => void this.kill(), FAREWELL_MS)
    await this.#end('SIGTERM')
    clearTimeout(timer)
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    if (child === undefined || this.end !== undefined) return
    this.#isToldToEnd = true
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
}
