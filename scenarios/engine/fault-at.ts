import type { WireGate, WireRequest } from './explore/wire-proxy.ts'
import { type Fault, isKill, type Kill } from './plan.ts'

/** What happens to the app at its n-th statement. */
export class FaultAt implements WireGate {
  statements = 0
  hasKilled = false
  readonly #statement: number
  readonly #how: Fault | Kill
  readonly #kill: () => Promise<void>
  #hit: WireRequest | undefined

  constructor(statement: number, how: Fault | Kill, kill: () => Promise<void>) {
    this.#statement = statement
    this.#how = how
    this.#kill = kill
  }

  async before(request: WireRequest): Promise<'pass' | Fault> {
    if (++this.statements !== this.#statement) return 'pass'
    this.#hit = request
    if (!isKill(this.#how)) return this.#how
    if (this.#how === 'killed-after') return 'pass'
    await this.#killNow()
    // Nobody asks for it any more: Postgres gets no more of it than of a line that ends.
    return 'ended'
  }

  /** Tells why it did not hit, if so. */
  check(missed: (why: string) => void): void {
    if (this.statements < this.#statement)
      missed(`sent ${this.statements} statements, not ${this.#statement}`)
  }

  async after(request: WireRequest): Promise<void> {
    if (request === this.#hit && this.#how === 'killed-after') await this.#killNow()
  }

  async #killNow(): Promise<void> {
    this.hasKilled = true
    await this.#kill()
  }
}
