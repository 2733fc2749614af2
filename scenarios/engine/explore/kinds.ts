import { createHash } from 'node:crypto'
import { API_VERSIONS, DEFAULT_API_VERSION } from '../../../fixtures/stripe/versions.ts'
import { AI_USE } from '../app-request.ts'
import { FAULTS, type JobRef, KILLS, type Plan, QUICK_STRIPE_FAULTS, TWICE } from '../plan.ts'
import type { Story } from '../story.ts'
import type { Measured } from './arena.ts'
import { type Choices, everyWay } from './choices.ts'

/** The ways in which a story can reach the app, cheapest and most telling first. */
export const KINDS = [
  'shape',
  'fault',
  'overlap',
  'late',
  'redelivery',
  'order',
  'overlap-3',
  'overlap-fault',
  'stripe',
  'hangs',
  'killed',
  'restart',
] as const
export type Kind = (typeof KINDS)[number]

/** Those that kill or restart the app: for one in a process of its own. */
export const KINDS_OF_PROCESSES: readonly Kind[] = ['killed', 'restart']

/** Those that are too many to be played all: a seeded sample of each story's. */
export const SAMPLED_KINDS: readonly Kind[] = ['overlap-3']

/** All orders of one step are played up to here. */
const ALL_ORDERS_UP_TO = 5_040
const SAMPLED_ORDERS = 500

/** So many threes of a story overlap, each by so many turns. */
const TRIPLES = 6
const TURNS_OF_A_TRIPLE = 8

/** Events, and requests, that a token can move by. */
export const MOVES =
  /^(checkout\.session\.(completed|async_payment_\w+)|invoice\.(paid|payment_succeeded)|invoice_payment\.paid|customer\.subscription\.\w+|charge\.(refunded|dispute\.\w+)|refund\.\w+|POST .*)$/

/** All plans of a kind for a story, given what its deliveries do in order. */
export function plansOf(kind: Kind, story: Story, anatomy: readonly Measured[]): readonly Plan[] {
  const moving = anatomy.filter(isMoving)
  const deliveries = anatomy.filter(isDelivery)
  const movingDeliveries = moving.filter(isDelivery)
  const calling = anatomy.filter(({ calls }) => calls > 0)
  switch (kind) {
    case 'redelivery':
      return [TWICE, ...fromAll(deliveries, redelivery(movingDeliveries))]
    case 'order':
      return stepsOf(deliveries).flatMap((own) => orders(own, movingDeliveries))
    case 'late':
      return movingDeliveries.flatMap(({ ref: job }) => [
        ...Array.from(
          { length: story.steps.length - job.step },
          (_, index): Plan => [{ do: 'late', job, until: job.step + index + 1 }],
        ),
        [{ do: 'late', job, until: 'last' }],
      ])
    case 'shape':
      return API_VERSIONS.filter((version) => version !== DEFAULT_API_VERSION).map((version) => [
        { do: 'version', version },
      ])
    case 'fault':
      return [
        ...fromAll(disturbable(anatomy), ({ ref: job, statements }, choices) => {
          return [{ do: 'fault', job, statement: choices.pick(statements) + 1, how: choices.one(FAULTS) }]
        }),
        // What AI use has committed is charged, once, whoever was told of it.
        ...anatomy
          .filter(({ what, statements }) => what === AI_USE && statements > 0)
          .map(
            ({ ref: job, statements: statement }): Plan => [
              { do: 'fault', job, statement, how: 'unanswered' },
            ],
          ),
      ]
    case 'killed':
      return fromAll(disturbable(anatomy), ({ ref: job, statements }, choices) => {
        return [{ do: 'fault', job, statement: choices.pick(statements) + 1, how: choices.one(KILLS) }]
      })
    case 'restart':
      return movingDeliveries.map(({ ref: job }) => [
        { do: 'restart', step: job.step },
        { do: 'again', job, when: 'last', as: 'same' },
      ])
    case 'stripe':
      return fromAll(calling, ({ ref: job, calls }, choices) => [
        { do: 'stripe', job, call: choices.pick(calls) + 1, how: choices.one(QUICK_STRIPE_FAULTS) },
      ])
    case 'hangs':
      return fromAll(calling, ({ ref: job, calls }, choices) => [
        { do: 'stripe', job, call: choices.pick(calls) + 1, how: 'hangs' },
      ])
    case 'overlap':
      return pairs(story, moving).map((jobs): Plan => [{ do: 'overlap', jobs, turns: '' }])
    case 'overlap-fault':
      // The first has begun when the second comes, and then fails; what was taken once is not sent again.
      return fromAll(
        disturbable(anatomy).filter((one) => movingDeliveries.includes(one)),
        ({ ref: job, statements }, choices) => [
          { do: 'fault', job, statement: choices.pick(statements) + 1, how: choices.one(FAULTS) },
          { do: 'overlap', jobs: [job, job], turns: 'AB' },
        ],
      )
    case 'overlap-3':
      return triples(story, moving).flatMap((jobs) =>
        drawnTurns(story, jobs).map((turns): Plan => [{ do: 'overlap', jobs, turns }]),
      )
  }
}

const isMoving = ({ what, statements }: Measured): boolean => statements > 0 || MOVES.test(what)

const isDelivery = ({ what }: Measured): boolean => !what.startsWith('POST ')

/** All that can be drawn of each of these. */
function fromAll(some: readonly Measured[], draw: (one: Measured, choices: Choices) => Plan): Plan[] {
  return some.flatMap((one) => {
    const plans: Plan[] = []
    for (const choices of everyWay()) plans.push(draw(one, choices))
    return plans
  })
}

const redelivery =
  (moving: readonly Measured[]) =>
  (one: Measured, choices: Choices): Plan => {
    const when = choices.one(['now', 'later', 'last'] as const)
    const as = moving.includes(one) ? choices.one(['same', 'aged', 'renamed'] as const) : 'same'
    return [{ do: 'again', job: one.ref, when, as }]
  }

/** AI use is not repeated by anybody: whether it is charged depends on where a fault hits it. */
function disturbable(anatomy: readonly Measured[]): readonly Measured[] {
  return anatomy.filter(({ what, statements }) => statements > 0 && what !== AI_USE)
}

function stepsOf(anatomy: readonly Measured[]): readonly (readonly Measured[])[] {
  return [...Map.groupBy(anatomy, ({ ref }) => ref.step).values()].filter((own) => own.length > 1)
}

/** The moving ones in all orders; the others before, after, and between them. */
function orders(own: readonly Measured[], moving: readonly Measured[]): readonly Plan[] {
  const step = own[0]?.ref.step ?? 0
  const movers = own.filter((one) => moving.includes(one)).map(({ ref }) => ref.place)
  const others = own.filter((one) => !moving.includes(one)).map(({ ref }) => ref.place)
  if (movers.length < 2) return []
  const wanted = isSampled(movers.length) ? sampled(movers) : permutations(movers)
  return wanted.flatMap((order) =>
    around(order, others).map((places): Plan => [{ do: 'order', step, places }]),
  )
}

function around(order: readonly number[], others: readonly number[]): number[][] {
  if (others.length === 0) return [[...order]]
  const gaps = order.length - 1
  return [
    [...others, ...order],
    [...order, ...others],
    order.flatMap((place, gap) => [place, ...others.filter((_, other) => other % gaps === gap)]),
  ]
}

/** Of each step whose orders are too many: how many of how many are played. */
export function sampledOrders(
  anatomy: readonly Measured[],
): readonly { step: number; played: number; of: number }[] {
  const movers = Map.groupBy(
    anatomy.filter((one) => isMoving(one) && isDelivery(one)).map(({ ref }) => ref),
    ({ step }) => step,
  )
  return [...movers]
    .filter(([, refs]) => isSampled(refs.length))
    .map(([step, refs]) => {
      const places = refs.map(({ place }) => place)
      return { step, played: sampled(places).length, of: factorial(places.length) }
    })
}

const isSampled = (movers: number): boolean => factorial(movers) > ALL_ORDERS_UP_TO

function permutations(places: readonly number[]): number[][] {
  const all: number[][] = []
  for (const choices of everyWay()) all.push(choices.order(places))
  return all
}

/** Each one first and last, each neighbours swapped, and every n-th of the rest. */
function sampled(places: readonly number[]): number[][] {
  const wanted = places.flatMap((place) => {
    const rest = places.filter((other) => other !== place)
    return [
      [place, ...rest],
      [...rest, place],
    ]
  })
  for (let at = 1; at < places.length; at++) {
    wanted.push([
      ...places.slice(0, at - 1),
      places[at] as number,
      places[at - 1] as number,
      ...places.slice(at + 1),
    ])
  }
  const all = factorial(places.length)
  for (let n = 0; n < SAMPLED_ORDERS; n++) wanted.push(nth(places, Math.floor((n * all) / SAMPLED_ORDERS)))
  return [...new Map(wanted.map((order) => [order.join(), order])).values()]
}

/** The n-th permutation, counted from 0. */
function nth(places: readonly number[], n: number): number[] {
  const left = [...places]
  let rest = n
  return places.map((_, index) => {
    const each = factorial(places.length - index - 1)
    const at = Math.floor(rest / each)
    rest %= each
    return left.splice(at, 1)[0] as number
  })
}

const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1))

/** The same twice; two of one step; one and all of the next step, requests or deliveries. */
function pairs(story: Story, moving: readonly Measured[]): readonly (readonly JobRef[])[] {
  const working = moving.filter(({ statements }) => statements > 0)
  const same = working.filter(({ what }) => what !== AI_USE).map(({ ref }) => [ref, ref])
  // The last of a step comes after the others of it.
  const isLast = ({ step, place }: JobRef) =>
    working.every(({ ref }) => ref.step !== step || ref.place <= place)
  const others = working.flatMap((one, index) =>
    working
      .slice(index + 1)
      .filter(({ ref }) => mayMeet(story, one.ref, ref) && (ref.step === one.ref.step || isLast(ref)))
      .map(({ ref }) => [one.ref, ref]),
  )
  return [...same, ...others]
}

/** Of one step or of neighbours; what is refused because of the one before it must come after that. */
function mayMeet({ steps }: Story, first: JobRef, second: JobRef): boolean {
  if (first.step === second.step) return true
  return (
    second.step - first.step === 1 && [first, second].every(({ step }) => steps[step - 1]?.answer !== '4xx')
  )
}

/** Some of: the same three times; the same twice, and what follows it in its step or the next. */
function triples(story: Story, moving: readonly Measured[]): readonly (readonly JobRef[])[] {
  const working = moving.filter(({ statements }) => statements > 0)
  const all = working.flatMap((one, index) =>
    one.what === AI_USE
      ? []
      : working
          .slice(index)
          .filter(({ ref }) => mayMeet(story, one.ref, ref))
          .map(({ ref }) => [one.ref, one.ref, ref]),
  )
  const drawn = (jobs: readonly JobRef[]) => digest(story, jobs, 0).toString('hex')
  return all.toSorted((a, b) => (drawn(a) < drawn(b) ? -1 : 1)).slice(0, TRIPLES)
}

function drawnTurns(story: Story, jobs: readonly JobRef[]): readonly string[] {
  return Array.from({ length: TURNS_OF_A_TRIPLE }, (_, index) =>
    [...digest(story, jobs, index + 1)].map((byte) => 'ABC'[byte % 3]).join(''),
  )
}

/** Chance that is the same in each run. */
function digest({ name }: Story, jobs: readonly JobRef[], n: number): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([name, jobs, n]))
    .digest()
}
