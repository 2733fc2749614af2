import type { AppProcess } from '../app-process.ts'

/** The app of a soak: it is killed while others send to it, and whoever sends waits until it is back. */
export class SoakApp {
  readonly #process: AppProcess
  #isBack: Promise<void> = Promise.resolve()
  #isClosed = false

  /** @param onEnd told how it ended, when it was not told to, or why it does not start again */
  constructor(process: AppProcess, onEnd: (how: string) => void) {
    this.#process = process
    process.onEnd = onEnd
  }

  /** Where it listens, as soon as it does. */
  get url(): Promise<string> {
    return this.#isBack.then(() => this.#process.url)
  }

  /** Ends it at once, whatever it is doing, and starts it again. */
  kill(): void {
    const isBack = this.#isBack.then(async () => {
      if (this.#isClosed) return
      await this.#process.kill()
      if (!this.#isClosed) await this.#process.start()
    })
    this.#isBack = isBack.catch((error: Error) => this.#process.onEnd?.(error.message))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#process.kill()
    await this.#isBack
  }
}
