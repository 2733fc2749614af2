import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { AppEnv } from '../../../fixtures/app/app.ts'

const SERVE = join(import.meta.dirname, '../../../fixtures/app/serve.ts')
const LISTENS = / listens on (http:\S+)/
/** What an app has said last is told when it ends by itself. */
const KEPT_WORDS = 2_000

/** The reference app in a process of its own, which can be killed, and is then started again. */
export class AppProcess {
  /** Rejects when the process ends by itself: nobody but this one may end it. */
  readonly ended: Promise<never>
  readonly #app: string
  readonly #env: AppEnv
  #process: ChildProcess | undefined
  #url: Promise<string>
  #fail: (error: Error) => void = () => {}
  #isClosed = false

  /** @param app a revision, or a directory of routes */
  constructor(app: string, env: AppEnv) {
    this.#app = app
    this.#env = env
    this.ended = new Promise((_, reject) => {
      this.#fail = reject
    })
    this.ended.catch(() => {})
    this.#url = this.#spawn()
    // Who waits for it gets the error; there may be nobody.
    this.#url.catch(() => {})
  }

  /** Where it listens, as soon as it does. Rejects with its last words when it does not come so far. */
  get url(): Promise<string> {
    return this.#url
  }

  /** Ends it at once, whatever it is doing, and starts it again. */
  kill(): void {
    // One that is being started already is ended as soon as it listens.
    this.#url = this.#url
      .catch(() => {})
      .then(() => this.#end())
      .then(() => this.#spawn())
    this.#url.catch(() => {})
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#end()
  }

  async #end(): Promise<void> {
    const old = this.#process
    this.#process = undefined
    if (old === undefined || old.exitCode !== null || old.signalCode !== null) return
    old.kill('SIGKILL')
    await once(old, 'exit')
  }

  #spawn(): Promise<string> {
    if (this.#isClosed) return Promise.reject(new Error('the app was closed'))
    const child = fork(SERVE, ['--app', this.#app], {
      env: { ...this.#env },
      // Ctrl-C is meant for the soak, and is no end that the app has come to by itself.
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#process = child
    let words = ''
    return new Promise((resolve, reject) => {
      const hear = (chunk: Buffer) => {
        words = `${words}${chunk}`.slice(-KEPT_WORDS)
        const [, url] = LISTENS.exec(words) ?? []
        if (url !== undefined) resolve(url)
      }
      child.stdout?.on('data', hear)
      child.stderr?.on('data', hear)
      child.once('error', reject)
      child.once('exit', (code, signal) => {
        const error = new Error(`the app's process ended with ${code ?? signal}: ${words.trim()}`)
        reject(error)
        if (this.#process === child) this.#fail(error)
      })
    })
  }
}
