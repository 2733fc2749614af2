import { describe, expect, test } from 'vitest'
import { IN_ORDER, misfitIn, parsePlan, printPlan, TWICE } from './plan.ts'

describe('a plan is printed as it is read', () => {
  for (const form of [
    'in-order',
    'twice',
    'again 2.1 now',
    'again 2.1 last renamed',
    'order 1 3,1,2',
    'late 1.5 2; late 1.6 last',
    'version acacia',
    'fault 1.3 4 unanswered',
    'fault 1.3 4 killed',
    'fault 1.3 4 killed-after; restart 2',
    'stripe 1.3 1 429',
    'overlap 1.5+1.5 ABBA',
    'overlap 1.5+2.1+3.1 CAB; version endive',
  ]) {
    test(form, () => expect(printPlan(parsePlan(form))).toBe(form))
  }
  test('and the two that every story is told by have names', () => {
    expect([IN_ORDER, TWICE].map(printPlan)).toEqual(['in-order', 'twice'])
  })
})

// Would catch: a plan of which a part is not read, and which is then green without having been played.
describe('a plan that can’t be read names the word, its place, and what may stand there', () => {
  for (const [form, says] of [
    [
      '',
      'character 1: wanted in-order, twice, again, order, late, version, fault, restart, stripe, overlap, but it ends there',
    ],
    [
      'agan 1.2 now',
      'character 1: wanted in-order, twice, again, order, late, version, fault, restart, stripe, overlap, but "agan"',
    ],
    ['again 1.2', 'character 10: wanted now, later, last, but it ends there'],
    ['again 1.2 now soon', 'character 15: wanted same, aged, renamed, but "soon"'],
    ['twice; fault 1.0 1 ended', 'character 14: wanted a delivery, like 2.1, but "1.0"'],
    ['fault 1.1 0 ended', 'character 11: wanted a number from 1, but "0"'],
    ['fault 1.1 2 kiled', 'character 13: wanted fails, ended, unanswered, killed, killed-after, but "kiled"'],
    ['restart last', 'character 9: wanted a number from 1, but "last"'],
    ['order 1 1;2', 'character 11: wanted in-order, twice'],
    ['version basil', 'character 9: wanted acacia, clover, endive, but "basil"'],
    ['overlap 1.1', 'character 9: wanted two or three deliveries, like 2.1+2.3, but "1.1"'],
    ['overlap 1.1+1.2 ABC', 'character 17: wanted turns of AB, but "ABC"'],
    ['twice again', 'character 7: wanted nothing more, but "again"'],
    ['twice; in-order', 'wanted in-order to stand alone'],
  ] as const) {
    test(form === '' ? 'nothing' : form, () => {
      expect(() => parsePlan(form)).toThrow(`the plan "${form}"`)
      expect(() => parsePlan(form)).toThrow(says)
    })
  }
})

// Would catch: one of two that is passed over in silence, so that a run is green by a plan that was never played.
describe('a plan that contradicts itself, or fits no story of three steps, is named', () => {
  test.each([
    ['version acacia; version clover', 'version acacia and version clover: one of them, for the version'],
    ['order 1 2,1; order 1 1,2', 'order 1 2,1 and order 1 1,2: one of them, for the order of step 1'],
    ['late 1.2 3; late 1.2 last', 'late 1.2 3 and late 1.2 last: one of them, for when 1.2 comes'],
    [
      'fault 1.2 1 ended; stripe 1.2 1 429',
      'fault 1.2 1 ended and stripe 1.2 1 429: one of them, for what disturbs 1.2',
    ],
    [
      'overlap 1.1+1.2; overlap 1.2+1.3',
      'overlap 1.1+1.2 and overlap 1.2+1.3: one of them, for what 1.2 overlaps',
    ],
    ['order 1 1,2,1', 'order 1 1,2,1: 1 is there twice'],
    ['late 1.4 3; overlap 1.4+2.4 AB', 'late 1.4 3 and overlap 1.4+2.4 AB: one of them, for when 1.4 comes'],
    ['again 4.1 now', 'step 4: the story has 3'],
    ['late 1.1 4', 'step 4: the story has 3'],
    ['overlap 1.1+4.1', 'step 4: the story has 3'],
    ['restart 5', 'step 5: the story has 3'],
    ['late 2.1 2', 'late 2.1 2: later than its own step 2 would be 3'],
  ])('%s', (form, told) => {
    expect(misfitIn(parsePlan(form), 3)).toBe(told)
  })

  test.each([
    'again 1.1 now; again 1.1 last; twice',
    'fault 1.1 1 ended; overlap 1.1+1.1 AB',
    'late 1.1 2; fault 1.1 1 fails',
    'late 3.1 last; order 3 2,1',
  ])('but not %s', (form) => {
    expect(misfitIn(parsePlan(form), 3)).toBeUndefined()
  })
})
