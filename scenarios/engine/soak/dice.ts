import { generateMersenne53Randomizer } from '@faker-js/faker'
import { seedOf } from '../cast.ts'

/** Chance that a name decides: the same name throws the same. */
export class Dice {
  readonly #random: { next(): number }

  constructor(name: string) {
    this.#random = generateMersenne53Randomizer(seedOf(name))
  }

  /** 1 … `sides`. */
  roll(sides: number): number {
    return Math.floor(this.#random.next() * sides) + 1
  }

  /** True once in so many throws, on average. */
  onceIn(throws: number): boolean {
    return this.roll(throws) === 1
  }

  one<T>(elements: readonly T[]): T {
    return elements[this.roll(elements.length) - 1] as T
  }

  shuffled<T>(elements: readonly T[]): T[] {
    const left = [...elements]
    return elements.map(() => left.splice(this.roll(left.length) - 1, 1)[0] as T)
  }
}
