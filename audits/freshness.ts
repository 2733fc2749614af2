/** What a target says about the moment that it shows. Times are ISO 8601. */
export interface Moments {
  readonly standby: boolean
  /** The server's clock when it was asked. */
  readonly clock: string
  /** When the last transaction that it replayed was committed on the primary; null: none since it was started. */
  readonly replayed: string | null
  /** A WAL receiver is running: without one no change arrives by streaming. */
  readonly receiving: boolean
  /** public.token_audit_heartbeat; undefined: there is no such table, null: it is empty. */
  readonly heartbeat: string | null | undefined
}

export interface Freshness {
  readonly by: 'heartbeat' | 'replay' | 'primary'
  /** How old what the target shows may be, in ms; null: unknown. */
  readonly ageMs: number | null
  /** Too old, or unknown, in words. */
  readonly stale?: string
  readonly warnings: readonly string[]
}

/** Clocks may differ by this before nothing can be said about ages; in ms. */
export const CLOCK_TOLERANCE_MS = 60_000

/**
 * How old what a target shows may be. A standby's own positions don't tell: with the stream down, what it received and
 * what it replayed are equal although rows are missing. The heartbeat does: a row that the primary writes each minute.
 * On a primary as well: one that nothing writes to any more may be a restored or a promoted copy.
 * Without one, the commit time of the last replayed transaction has to do; on an idle primary that grows old as well.
 *
 * @param maxStalenessMs what is older is stale
 */
export function freshnessOf(moments: Moments, maxStalenessMs: number): Freshness {
  const { standby, clock, replayed, receiving, heartbeat } = moments
  if (!standby && heartbeat === undefined) return { by: 'primary', ageMs: 0, warnings: [] }
  const age = (time: string) => Math.max(Date.parse(clock) - Date.parse(time), 0)
  const down = 'no WAL receiver is running: the stream from the primary is down'
  const cut = standby && !receiving
  const stream = cut ? `; ${down}` : ''
  const limit = `more than the ${duration(maxStalenessMs)} allowed`
  const seen = (by: Freshness['by'], ageMs: number | null, stale: string): Freshness => {
    const old = ageMs === null || ageMs > maxStalenessMs
    return { by, ageMs, ...(old && { stale }), warnings: old || !cut ? [] : [down] }
  }
  if (heartbeat === null) {
    const text = `public.token_audit_heartbeat is empty: nothing has beaten yet, so the age of what this server shows is unknown${stream}`
    return seen('heartbeat', null, text)
  }
  if (heartbeat !== undefined) {
    const besides = !standby
      ? 'this is a primary: nothing beats any more, or it is a copy that nobody writes to'
      : replayed === null
        ? 'nothing was replayed since it was started'
        : `the last replayed transaction is ${duration(age(replayed))} old`
    const text = `the heartbeat is ${duration(age(heartbeat))} old, ${limit} (${besides})${stream}`
    return seen('heartbeat', age(heartbeat), text)
  }
  const install =
    'or the primary is idle: npm run migrate -- heartbeat on the primary tells the one from the other'
  if (replayed === null) {
    const text = `this standby has not replayed a transaction since it was started, so the moment that it shows is unknown${stream}: it lags, ${install}`
    return seen('replay', null, text)
  }
  const text = `the last replayed transaction is ${duration(age(replayed))} old, ${limit}${stream}: it lags, ${install}`
  return seen('replay', age(replayed), text)
}

/**
 * Why ages can't be told; null: the clocks agree.
 *
 * @param here this machine's time when the server was asked, in ms
 */
export function clockProblem({ clock, heartbeat, replayed }: Moments, here: number): string | null {
  const untold = "how old the data is can't be told"
  const apart = Date.parse(clock) - here
  if (Math.abs(apart) > CLOCK_TOLERANCE_MS) {
    return `the clock of the server is ${duration(Math.abs(apart))} ${apart > 0 ? 'ahead of' : 'behind'} the clock of this machine: ${untold}; set the one that is wrong`
  }
  const moments = [
    ['heartbeat', heartbeat],
    ['last replayed transaction', replayed],
  ] as const
  for (const [what, moment] of moments) {
    if (moment == null) continue
    const ahead = Date.parse(moment) - Date.parse(clock)
    if (Number.isNaN(ahead)) return `the ${what} is of ${moment}, which is no time: ${untold}`
    if (ahead > CLOCK_TOLERANCE_MS) {
      return `the ${what} is ${duration(ahead)} ahead of this server's clock: ${untold}; set the clock of the primary, or of the standby`
    }
  }
  return null
}

/** e.g. 35 s, 16 min, 3 h 5 min, 2 d 4 h. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  if (seconds < 90) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 90) return `${minutes} min`
  const both = (large: number, small: number, names: readonly [string, string]) =>
    small === 0 ? `${large} ${names[0]}` : `${large} ${names[0]} ${small} ${names[1]}`
  if (minutes < 48 * 60) return both(Math.floor(minutes / 60), minutes % 60, ['h', 'min'])
  const hours = Math.round(minutes / 60)
  return both(Math.floor(hours / 24), hours % 24, ['d', 'h'])
}
