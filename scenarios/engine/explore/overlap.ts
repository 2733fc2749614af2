import type { WireGate, WireProxy, WireRequest, WireSession } from './wire-proxy.ts'

/** Whose turn it is, of those that can go on. */
export type Turn = (ready: readonly number[], last: number | undefined) => number

/** A turn where more than one could go on. */
export interface Decision {
  readonly ready: readonly number[]
  readonly last: number | undefined
  readonly chosen: number
}

interface Lane {
  state: 'new' | 'asking' | 'blocked' | 'stopped' | 'answered' | 'running' | 'done'
  /** The session whose statement is held, or whose transaction is open. */
  session?: WireSession | undefined
  sql?: string
  /** Lets the held statement, or its answer, go on. */
  release?: (() => void) | undefined
}

/**
 * Runs several at the same time, one statement at a time: only the one whose turn it is runs code of the app or has a
 * statement in Postgres; those that wait for a lock of another can't have a turn until Postgres lets them go on.
 *
 * @param faults what happens to the statements of each; undefined: nothing
 * @returns what each came to, and the decisions that were taken
 */
export async function overlap<T>(
  proxy: WireProxy,
  works: readonly (() => Promise<T>)[],
  turn: Turn,
  faults: readonly (WireGate | undefined)[] = [],
): Promise<{ results: T[]; decisions: Decision[] }> {
  const lanes: Lane[] = works.map(() => ({ state: 'new' }))
  const results: Promise<T>[] = []
  let current = 0
  const decisions: Decision[] = []
  let wake = () => {}
  const changed = () => wake()
  const change = () =>
    new Promise<void>((resolve) => {
      wake = resolve
    })

  const laneOf = ({ session }: WireRequest): Lane =>
    lanes.find((lane) => lane.session === session) ?? (lanes[current] as Lane)
  /** Who has asked: a session that is ended may be dealt with when others have had their turn. */
  const asked = new WeakMap<WireRequest, Lane>()
  const gate: WireGate = {
    before(request) {
      const lane = laneOf(request)
      if (lane.state === 'done') return Promise.resolve('pass')
      const fate = faults[lanes.indexOf(lane)]?.before(request) ?? Promise.resolve('pass' as const)
      // A transaction that has only begun sees and holds nothing yet. And one lane can be held once: what a pool asks
      // on a new connection, beside a statement of the same lane, is no turn.
      if (OPENS.test(request.sql) || lane.state !== 'running') return fate
      asked.set(request, lane)
      return new Promise((resolve) => {
        lane.state = 'asking'
        lane.session = request.session
        lane.session.lane = String.fromCharCode(FIRST + lanes.indexOf(lane))
        lane.sql = request.sql
        lane.release = () => resolve(fate)
        changed()
      })
    },
    after(request) {
      const lane = asked.get(request)
      if (lane === undefined || lane.state === 'done' || lane.state === 'running') return Promise.resolve()
      return new Promise((resolve) => {
        lane.state = 'answered'
        lane.release = resolve
        changed()
      })
    },
  }

  /** Until the lane's own code has come to its next statement, or to its end. */
  const settled = async (lane: Lane): Promise<void> => {
    while (lane.state === 'running') await change()
  }
  const goOn = async (lane: Lane): Promise<void> => {
    const { release } = lane
    // Its transaction may be over: the next statement may come by another session.
    if (lane.session?.status === 'idle') {
      lane.session.lane = ''
      lane.session = undefined
    }
    lane.state = 'running'
    release?.()
    await settled(lane)
  }
  /** Until Postgres has answered, or the lane waits for another one. */
  const answeredOrBlocked = async (lane: Lane): Promise<void> => {
    for (let look = 0; lane.state === 'blocked'; look++) {
      await Promise.race([change(), new Promise((resolve) => setTimeout(resolve, look < 2 ? 1 : 4))])
      if (lane.state !== 'blocked' || lane.session === undefined) return
      const waits = await proxy.waitsFor(lane.session)
      if (waits === 'nothing' || (lane.state as Lane['state']) !== 'blocked') continue
      // A statement that is itself the write was held before it was sent.
      if (waits === 'stop' && WRITES.test(lane.sql ?? '')) {
        await proxy.passStop(lane.session)
        continue
      }
      proxy.log?.waits(lane.session.lane, lane.sql ?? '', waits)
      if (waits === 'stop') lane.state = 'stopped'
      return
    }
  }

  await proxy.placeStops()
  proxy.gate = gate
  try {
    let last: number | undefined
    for (;;) {
      for (const lane of lanes) if (lane.state === 'blocked') await answeredOrBlocked(lane)
      const ready = lanes.flatMap(({ state }, index) =>
        state === 'new' || state === 'asking' || state === 'stopped' || state === 'answered' ? [index] : [],
      )
      if (ready.length === 0) {
        if (lanes.every(({ state }) => state === 'done')) break
        // All wait for each other: Postgres ends a deadlock.
        await change()
        continue
      }
      current = ready.length === 1 ? (ready[0] as number) : turn(ready, last)
      if (ready.length > 1) decisions.push({ ready, last, chosen: current })
      last = current
      const lane = lanes[current] as Lane
      if (lane.state === 'new') {
        lane.state = 'running'
        const work = works[current] as () => Promise<T>
        const result = work().finally(() => {
          lane.state = 'done'
          lane.session = undefined
          changed()
        })
        result.catch(() => {})
        results[current] = result
        await settled(lane)
      } else if (lane.state === 'answered') {
        await goOn(lane)
      } else {
        const { release, session, state } = lane
        if (session !== undefined && state === 'asking') await proxy.arm(session)
        lane.state = 'blocked'
        if (state === 'asking') release?.()
        else if (session !== undefined) await proxy.passStop(session)
        await answeredOrBlocked(lane)
        if ((lane.state as Lane['state']) === 'answered') await goOn(lane)
      }
    }
    return { results: await Promise.all(results), decisions }
  } finally {
    proxy.gate = undefined
    await proxy.disarm()
    for (const session of proxy.sessions) session.lane = ''
    for (const { release } of lanes) release?.()
  }
}

const WRITES = /^\s*(insert|update|delete)\b/i

const OPENS = /^\s*(begin|start\s+transaction)\b/i

/** Follows letters; after them whoever had the last turn goes on, else the first that can. */
export function turnsOf(letters: string): Turn {
  let next = 0
  return (ready, last) => {
    const wanted = letters.charCodeAt(next++) - FIRST
    if (ready.includes(wanted)) return wanted
    return last !== undefined && ready.includes(last) ? last : (ready[0] as number)
  }
}

/** The letters that `turnsOf` follows to the same decisions. */
export function lettersOf(decisions: readonly Decision[]): string {
  return String.fromCharCode(...decisions.map(({ chosen }) => chosen + FIRST))
}

const FIRST = 'A'.charCodeAt(0)

/**
 * The turns to be tried after a run that took these decisions, each of those that follow the `given` ones in another
 * way: so all are tried once. The one in their middle comes first: a race has some width.
 *
 * @param given how many of the decisions the run was told to take; the others it took by itself
 * @param preemptions how often a turn may be taken from one who could go on
 */
export function furtherTurns(decisions: readonly Decision[], given: number, preemptions: number): string[] {
  return spread(
    decisions.slice(given).flatMap(({ ready, last, chosen }, index) => {
      const before = decisions.slice(0, given + index)
      return ready
        .filter((lane) => lane !== chosen)
        .map((lane) => [...before, { ready, last, chosen: lane }])
        .filter((otherwise) => preemptionsOf(otherwise) <= preemptions)
        .map(lettersOf)
    }),
  )
}

/** The one in the middle, then those in the middle of both halves, … */
function spread<T>(all: readonly T[]): T[] {
  const parts = [all]
  for (const part of parts) {
    const middle = part.length >> 1
    if (part.length > 1) parts.push(part.slice(0, middle), part.slice(middle + 1))
  }
  return parts.flatMap((part) => part.slice(part.length >> 1, (part.length >> 1) + 1))
}

function preemptionsOf(decisions: readonly Decision[]): number {
  return decisions.filter(
    ({ ready, last, chosen }) => last !== undefined && ready.includes(last) && chosen !== last,
  ).length
}
