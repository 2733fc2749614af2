import { describe, expect, test } from 'vitest'
import { parsePlan, printPlan } from '../plan.ts'
import { storiesNamed } from '../stories.ts'
import type { Story } from '../story.ts'
import type { Measured } from './arena.ts'
import { plansOf, sampledOrders } from './kinds.ts'

const [USED, REUSED] = storiesNamed(['admin-grant-and-deduct', 'admin-request-reused']) as [Story, Story]

/** One request a step, of three statements. */
function requestsOf({ steps }: Story): Measured[] {
  return steps.map((_, index) => ({
    ref: { step: index + 1, place: 1 },
    what: 'POST /api/admin/users/adjust-tokens',
    statements: 3,
    calls: 0,
  }))
}

describe('three at once', () => {
  const forms = () => plansOf('overlap-3', USED, requestsOf(USED)).map(printPlan)

  // A sample that is another one in each run can't be played again, nor split among machines.
  test('are the same sample in each run, no plan twice, and printed as they are read', () => {
    expect(forms()).toEqual(forms())
    expect(new Set(forms()).size).toBe(forms().length)
    expect(forms().map((form) => printPlan(parsePlan(form)))).toEqual(forms())
  })

  // Two of one fact are stopped by its key; what the third does meanwhile is lost where nothing is locked.
  test('are one three times, or twice beside another', () => {
    expect(forms()).toContainEqual(expect.stringMatching(/^overlap 1\.1\+1\.1\+1\.1 [ABC]{32}$/))
    expect(forms()).toContainEqual(expect.stringMatching(/^overlap 1\.1\+1\.1\+2\.1 [ABC]{32}$/))
  })
})

// The second is refused because the first has its request id: where it comes first, it is right to grant it.
test('what is refused overlaps neither what comes before it nor what comes after it', () => {
  const met = [
    ...plansOf('overlap', REUSED, requestsOf(REUSED)),
    ...plansOf('overlap-3', REUSED, requestsOf(REUSED)),
  ]
  const jobs = met.map((plan) => printPlan(plan).split(' ')[1]?.split('+') ?? [])
  expect(new Set(jobs.map(([first]) => first)).size).toBe(REUSED.steps.length)
  expect(jobs.filter((own) => new Set(own).size > 1)).toEqual([])
})

// Would catch: a statement after whose number no process is killed, or one way to be killed that is forgotten.
test('the process is killed before and after each statement', () => {
  const [first] = requestsOf(USED)
  expect(plansOf('killed', USED, first ? [first] : []).map(printPlan)).toEqual(
    [1, 2, 3].flatMap((n) => [`fault 1.1 ${n} killed`, `fault 1.1 ${n} killed-after`]),
  )
})

// Would catch: a fault that hits nobody, or hits the one that comes second: who answers for the first is never tried.
test('what comes again meanwhile is taken, and the first of it fails at each statement', () => {
  const delivery: Measured = {
    ref: { step: 1, place: 5 },
    what: 'checkout.session.completed',
    statements: 2,
    calls: 1,
  }
  expect(plansOf('overlap-fault', USED, [delivery]).map(printPlan)).toEqual(
    [1, 2].flatMap((n) =>
      ['fails', 'ended', 'unanswered'].map((how) => `fault 1.5 ${n} ${how}; overlap 1.5+1.5 AB`),
    ),
  )
})

/** Deliveries of one step: so many that a token can move by, and others. */
function deliveriesOf(movers: number, others: number): Measured[] {
  return Array.from({ length: movers + others }, (_, index) => ({
    ref: { step: 1, place: index + 1 },
    what: index < movers ? 'invoice.paid' : 'customer.created',
    statements: 0,
    calls: 0,
  }))
}

describe('orders', () => {
  const placesOf = (anatomy: readonly Measured[]) =>
    plansOf('order', USED, anatomy).flatMap((plan) =>
      plan.map((one) => (one.do === 'order' ? one.places.join('') : '')),
    )

  // Would catch: an order that is only tried with the others at its end.
  test('of two are both, with the others before, after and between them', () => {
    expect(placesOf(deliveriesOf(2, 1))).toEqual(['312', '123', '132', '321', '213', '231'])
    expect(sampledOrders(deliveriesOf(2, 1))).toEqual([])
  })

  // Would catch: a sample that is said to be all.
  test('of eight are a sample: each first and last, neighbours swapped, and as many are told as are played', () => {
    const [sample] = sampledOrders(deliveriesOf(8, 0))
    const orders = placesOf(deliveriesOf(8, 0))
    expect(sample).toEqual({ step: 1, played: orders.length, of: 40_320 })
    expect(new Set(orders).size).toBe(orders.length)
    for (const place of '12345678') {
      expect(orders.some((order) => order.startsWith(place))).toBe(true)
      expect(orders.some((order) => order.endsWith(place))).toBe(true)
    }
    expect(orders).toContain('21345678')
    expect(orders).toContain('12345687')
  })
})
