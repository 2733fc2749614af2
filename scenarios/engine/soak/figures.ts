const SECOND_MS = 1_000

/** What a soak has done so far. */
export class Figures {
  /** Events posted, each attempt counted. */
  deliveries = 0
  /** Requests of admins and of AI features. */
  requests = 0
  /** Deliveries and requests that were sent while another of the same user was under way. */
  overlapped = 0
  /** Deliveries and requests that had been sent before. */
  repeated = 0
  /** Answers that were not 2xx, and those that never came. */
  refused = 0
  users = 0
  /** Deliveries answered within one second, at most. */
  highestRate = 0
  readonly #answered: number[] = []

  answered(): void {
    const now = performance.now()
    this.#answered.push(now)
    while ((this.#answered[0] ?? now) <= now - SECOND_MS) this.#answered.shift()
    this.highestRate = Math.max(this.highestRate, this.#answered.length)
  }
}
