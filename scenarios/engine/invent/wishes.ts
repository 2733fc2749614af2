import fc from 'fast-check'
import { API_VERSIONS, type ApiVersion, DEFAULT_API_VERSION } from '../../../fixtures/stripe/versions.ts'
import { AI_USE } from '../app-request.ts'
import type { Measured } from '../explore/arena.ts'
import { type Directive, FAULTS, isSame, type Plan, QUICK_STRIPE_FAULTS } from '../plan.ts'

/** Which of several: taken modulo how many there are, so that it means something in whatever story. */
const which = fc.nat(999)
const about = <const What extends string>(what: What) => ({ what: fc.constant(what), one: which })

/** In which version a story is told; mostly in the app's own. */
export const version: fc.Arbitrary<ApiVersion | undefined> = fc.constantFrom(
  ...[undefined, undefined, undefined],
  ...API_VERSIONS.filter((one) => one !== DEFAULT_API_VERSION),
)

/** What goes well with each other. */
const calm = fc.oneof(
  fc.record({ what: fc.constant('twice') }),
  fc.record({
    ...about('again'),
    when: fc.constantFrom('now', 'later', 'last'),
    as: fc.constantFrom('same', 'aged', 'renamed'),
  }),
  fc.record({ ...about('order'), place: which }),
  fc.record({ ...about('late'), until: which }),
)
export type Calm = typeof calm extends fc.Arbitrary<infer T> ? T : never
export const calmWishes: fc.Arbitrary<readonly Calm[]> = fc.array(calm, { maxLength: 3 })

/** What is counted in statements or calls, and so must not be shifted by anything else. */
const disturbance = fc.oneof(
  fc.record({ ...about('fault'), statement: which, how: fc.constantFrom(...FAULTS) }),
  fc.record({ ...about('stripe'), call: which, how: fc.constantFrom(...QUICK_STRIPE_FAULTS) }),
  fc.record({ ...about('overlap'), other: which, turns: fc.stringMatching(/^[AB]{0,24}$/) }),
)
export type Disturbance = typeof disturbance extends fc.Arbitrary<infer T> ? T : never
export const disturbanceWish: fc.Arbitrary<Disturbance | undefined> = fc.option(disturbance, {
  nil: undefined,
})

/** The plan that comes of wishes for a story of which this was measured; those that fit nothing are left out. */
export function calmPlan(wishes: readonly Calm[], measured: readonly Measured[]): Plan {
  const deliveries = measured.filter(({ what }) => !what.startsWith('POST '))
  const heeded = deliveries.filter(({ statements, calls }) => statements + calls > 0)
  const steps = measured.at(-1)?.ref.step ?? 0
  const plan: Directive[] = []
  for (const wish of wishes) {
    if (wish.what === 'twice') {
      if (!plan.some((one) => one.do === 'twice')) plan.push({ do: 'twice' })
      continue
    }
    const job = pick(heeded, wish.one)?.ref
    if (job === undefined) continue
    switch (wish.what) {
      case 'again':
        plan.push({ do: 'again', job, when: wish.when, as: wish.as })
        break
      case 'late': {
        if (plan.some((one) => one.do === 'late' && isSame(one.job, job))) break
        const later = steps - job.step
        const until = wish.until % (later + 1)
        plan.push({ do: 'late', job, until: until === 0 ? 'last' : job.step + until })
        break
      }
      case 'order': {
        const { step, place } = job
        if (plan.some((one) => one.do === 'order' && one.step === step)) break
        const others = deliveries.flatMap(({ ref }) =>
          ref.step === step && ref.place !== place ? [ref.place] : [],
        )
        plan.push({ do: 'order', step, places: others.toSpliced(wish.place % (others.length + 1), 0, place) })
      }
    }
  }
  return plan
}

/** Nothing where the wish fits nothing. `faults`: whether the app outlives faults at the wire. */
export function disturbedPlan(
  wish: Disturbance | undefined,
  measured: readonly Measured[],
  { faults }: { readonly faults: boolean },
): Plan {
  // Nobody repeats AI use: after a fault it may have been, or not.
  const repeated = measured.filter(({ what }) => what !== AI_USE)
  const working = (some: readonly Measured[]) => some.filter(({ statements }) => statements > 0)
  switch (wish?.what) {
    case undefined:
      return []
    case 'fault': {
      const one = pick(working(repeated), wish.one)
      if (one === undefined || !faults) return []
      return [{ do: 'fault', job: one.ref, statement: (wish.statement % one.statements) + 1, how: wish.how }]
    }
    case 'stripe': {
      const one = pick(
        repeated.filter(({ calls }) => calls > 0),
        wish.one,
      )
      if (one === undefined) return []
      return [{ do: 'stripe', job: one.ref, call: (wish.call % one.calls) + 1, how: wish.how }]
    }
    case 'overlap': {
      const one = pick(working(measured), wish.one)
      if (one === undefined) return []
      const near = working(measured).filter(
        ({ ref, what }) => Math.abs(ref.step - one.ref.step) <= 1 && !(what === AI_USE && ref === one.ref),
      )
      const other = pick(near, wish.other)
      if (other === undefined) return []
      return [{ do: 'overlap', jobs: [one.ref, other.ref], turns: wish.turns }]
    }
  }
}

const pick = <T>(some: readonly T[], which: number): T | undefined => some[which % some.length]
