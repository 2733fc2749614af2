/**
 * All values of some code that chooses: it is run again and again, and each run takes the next way through its choices,
 * until there is none left. The idea is TigerBeetle's exhaustigen: a generator is ordinary code, and complete.
 *
 *     for (const choices of everyWay()) use(choices.pick(3), choices.order([a, b]))
 */
export class Choices {
  readonly #made: { chosen: number; of: number }[] = []
  #next = 0

  /** One of 0 … `of` - 1. */
  pick(of: number): number {
    const made = this.#made[this.#next]
    if (made === undefined) this.#made.push({ chosen: 0, of })
    // The code must choose alike when it is run again, or ways would be missed.
    else if (made.of !== of) throw new Error(`choice ${this.#next + 1} was one of ${made.of}, now of ${of}`)
    return this.#made[this.#next++]?.chosen ?? 0
  }

  /** One of the elements. */
  one<T>(elements: readonly T[]): T {
    return elements[this.pick(elements.length)] as T
  }

  /** The elements in some order. */
  order<T>(elements: readonly T[]): T[] {
    const left = [...elements]
    return elements.map(() => left.splice(this.pick(left.length), 1)[0] as T)
  }

  /** Goes on to the next way; false: there is none. */
  advance(): boolean {
    // A run that ended early has made fewer choices than an earlier one.
    this.#made.length = this.#next
    this.#next = 0
    for (let last = this.#made.at(-1); last !== undefined; last = this.#made.at(-1)) {
      if (++last.chosen < last.of) return true
      this.#made.pop()
    }
    return false
  }
}

/** One `Choices` a way, until all ways were taken: whoever draws from it must do so before asking for the next. */
export function* everyWay(): Generator<Choices> {
  const choices = new Choices()
  do yield choices
  while (choices.advance())
}
