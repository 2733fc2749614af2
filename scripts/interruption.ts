/** What ends a command from outside, and the exit code of one that was ended so. */
export const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const

/** Ctrl-C, and whoever ends the job: a command that works for long ends its work, and tells what it has so far. */
export class Interruption {
  readonly #abort = new AbortController()
  /** What the command ends with; undefined: it was not interrupted. */
  exit: number | undefined

  constructor() {
    for (const [signal, exit] of Object.entries(SIGNALS)) {
      // Not `once`: what Testcontainers brings along ends the process when nobody else listens any more.
      process.on(signal, () => {
        this.exit = exit
        this.#abort.abort()
      })
    }
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }
}
