import { describe, expect, test } from 'vitest'
import { type Choices, everyWay } from './choices.ts'
import { type Decision, furtherTurns, lettersOf, turnsOf } from './overlap.ts'

function all<T>(draw: (choices: Choices) => T): T[] {
  const drawn: T[] = []
  for (const choices of everyWay()) drawn.push(draw(choices))
  return drawn
}

describe('every way is taken, and none twice', () => {
  test('all orders of four', () => {
    const orders = all((choices) => choices.order(['a', 'b', 'c', 'd']).join(''))
    expect(new Set(orders).size).toBe(24)
    expect(orders).toHaveLength(24)
  })
  test('where a choice opens others', () => {
    expect(all((choices) => (choices.pick(2) === 0 ? 'a' : `b${choices.pick(3)}`))).toEqual([
      'a',
      'b0',
      'b1',
      'b2',
    ])
  })
  test('a draw without a choice is one way', () => expect(all(() => 1)).toEqual([1]))
  // Would catch: ways that are missed, silently, because the code chose otherwise the second time.
  test('code that chooses otherwise when it is run again is an error', () => {
    let of = 2
    expect(() => all((choices) => choices.pick(of++))).toThrow('choice 1 was one of 2, now of 3')
  })
})

/** Two lanes of so many statements each, that never wait for each other: whose turn it was, turn by turn. */
function run(turns: string, of: readonly number[]): { decisions: Decision[]; order: string } {
  const left = [...of]
  const turn = turnsOf(turns)
  const decisions: Decision[] = []
  let order = ''
  let last: number | undefined
  for (;;) {
    const ready = left.flatMap((n, lane) => (n > 0 ? [lane] : []))
    if (ready.length === 0) return { decisions, order }
    const chosen = ready.length === 1 ? (ready[0] as number) : turn(ready, last)
    if (ready.length > 1) decisions.push({ ready, last, chosen })
    left[chosen] = (left[chosen] ?? 0) - 1
    order += 'ABC'[chosen]
    last = chosen
  }
}

function everyOrder(of: readonly number[], preemptions: number): string[] {
  const orders: string[] = []
  const wanted = ['']
  for (const turns of wanted) {
    const { decisions, order } = run(turns, of)
    // A plan with these turns plays the same again.
    expect(run(lettersOf(decisions), of).order).toBe(order)
    orders.push(order)
    wanted.push(...furtherTurns(decisions, turns.length, preemptions))
  }
  return orders
}

describe('turns', () => {
  test('all interleavings of three statements and three: 20', () => {
    const orders = everyOrder([3, 3], Number.POSITIVE_INFINITY)
    expect(new Set(orders).size).toBe(20)
    expect(orders).toHaveLength(20)
  })
  test('of three times two: 90', () => {
    expect(new Set(everyOrder([2, 2, 2], Number.POSITIVE_INFINITY)).size).toBe(90)
  })
  test('without taking the turn from anybody: one after the other', () => {
    expect(everyOrder([3, 3], 0)).toEqual(['AAABBB', 'BBBAAA'])
  })
  test('taking it once: each place of one in the other', () => {
    expect(everyOrder([2, 2], 1)).toEqual(['AABB', 'ABBA', 'BBAA', 'BAAB'])
  })
  // A race is wider than one statement: would catch an order that comes to it last.
  test('in the middle first', () => {
    expect(everyOrder([5, 5], 1).slice(0, 4)).toEqual([
      'AAAAABBBBB',
      'AABBBBBAAA',
      'ABBBBBAAAA',
      'AAAABBBBBA',
    ])
  })
})
