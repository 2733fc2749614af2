import { describe, expect, test } from 'vitest'
import { clockProblem, duration, freshnessOf, type Moments } from './freshness.ts'

const QUARTER = 15 * 60_000
const CLOCK = '2026-11-02T03:17:00.000000Z'

/** A standby that is 20 s behind, by its heartbeat. */
function moments(change: Partial<Moments> = {}): Moments {
  return {
    standby: true,
    clock: CLOCK,
    replayed: '2026-11-02T03:16:50.000000Z',
    receiving: true,
    heartbeat: '2026-11-02T03:16:40.000000Z',
    ...change,
  }
}

describe('how old what a target shows may be', () => {
  test.for([
    ['by the heartbeat', {}, { by: 'heartbeat', ageMs: 20_000 }],
    ['exactly as old as allowed', { heartbeat: '2026-11-02T03:02:00Z' }, { by: 'heartbeat', ageMs: QUARTER }],
    ['by the last replayed transaction', { heartbeat: undefined }, { by: 'replay', ageMs: 10_000 }],
    [
      'on a primary, not at all',
      { standby: false, replayed: null, receiving: false, heartbeat: undefined },
      { by: 'primary', ageMs: 0 },
    ],
    [
      'on a primary, by the heartbeat where there is one',
      { standby: false, replayed: null, receiving: false },
      { by: 'heartbeat', ageMs: 20_000 },
    ],
    // Clocks of primary and standby are never the same.
    [
      'with a heartbeat of the next second',
      { heartbeat: '2026-11-02T03:17:01Z' },
      { by: 'heartbeat', ageMs: 0 },
    ],
  ] as const)('is known %s', ([, change, known]) => {
    const freshness = freshnessOf(moments(change), QUARTER)
    expect(freshness).toEqual({ ...known, warnings: [] })
  })

  test.for([
    [
      'an old heartbeat, although transactions arrive',
      { heartbeat: '2026-11-02T03:01:59.9Z' },
      'the heartbeat is 15 min old, more than the 15 min allowed (the last replayed transaction is 10 s old)',
    ],
    [
      'a heartbeat that never was',
      { heartbeat: null },
      'public.token_audit_heartbeat is empty: nothing has beaten yet, so the age of what this server shows is unknown',
    ],
    [
      'no heartbeat, and an old last transaction',
      { heartbeat: undefined, replayed: '2026-11-02T00:12:00Z' },
      'the last replayed transaction is 3 h 5 min old, more than the 15 min allowed: it lags, or the primary is idle: npm run migrate -- heartbeat on the primary tells the one from the other',
    ],
    [
      'no heartbeat, and nothing replayed since the start',
      { heartbeat: undefined, replayed: null },
      'this standby has not replayed a transaction since it was started, so the moment that it shows is unknown: it lags, or the primary is idle: npm run migrate -- heartbeat on the primary tells the one from the other',
    ],
    [
      'a stream that is down',
      { heartbeat: '2026-10-31T03:17:00Z', replayed: null, receiving: false },
      'the heartbeat is 2 d old, more than the 15 min allowed (nothing was replayed since it was started); no WAL receiver is running: the stream from the primary is down',
    ],
    // A restored copy, or a standby that was promoted and forgotten: it will never see what is wrong by now.
    [
      'a primary on which nothing beats any more',
      { standby: false, replayed: null, receiving: false, heartbeat: '2026-11-02T01:17:00Z' },
      'the heartbeat is 2 h old, more than the 15 min allowed (this is a primary: nothing beats any more, or it is a copy that nobody writes to)',
    ],
  ] as const)('is too much with %s', ([, change, stale]) => {
    expect(freshnessOf(moments(change), QUARTER)).toMatchObject({ stale })
  })

  // It is fresh enough tonight, and will not be tomorrow.
  test('warns of a stream that went down a moment ago', () => {
    const down = ['no WAL receiver is running: the stream from the primary is down']
    expect(freshnessOf(moments({ receiving: false }), QUARTER).warnings).toEqual(down)
    expect(freshnessOf(moments({ receiving: false, heartbeat: undefined }), QUARTER).warnings).toEqual(down)
  })
})

// With a clock that is behind, every age looks small: an old standby passes for a fresh one.
describe('clocks', () => {
  const here = Date.parse(CLOCK)

  test.for([
    ['agree to the second', moments(), here + 1_000],
    ['may differ by a minute', moments(), here - 60_000],
    [
      'of a primary may be a minute ahead of its standby',
      moments({ heartbeat: '2026-11-02T03:18:00Z' }),
      here,
    ],
  ] as const)('%s', ([, given, now]) => {
    expect(clockProblem(given, now)).toBeNull()
  })

  test.for([
    [
      'the server is behind',
      moments(),
      here + 3 * 3_600_000,
      'the clock of the server is 3 h behind the clock of this machine',
    ],
    [
      'the server is ahead',
      moments(),
      here - 61_000,
      'the clock of the server is 61 s ahead of the clock of this machine',
    ],
    [
      'the primary is ahead of its standby',
      moments({ heartbeat: '2026-11-02T03:19:00Z' }),
      here,
      "the heartbeat is 2 min ahead of this server's clock",
    ],
    // Without a heartbeat it is the only thing to go by, and would never grow old.
    [
      'the last replayed transaction is to come',
      moments({ heartbeat: undefined, replayed: '2026-11-03T03:17:00Z' }),
      here,
      "the last replayed transaction is 24 h ahead of this server's clock",
    ],
    [
      'the heartbeat is of no time',
      moments({ heartbeat: '12026-11-02T03:17:00.000000Z' }),
      here,
      'the heartbeat is of 12026-11-02T03:17:00.000000Z, which is no time',
    ],
  ] as const)('disagree when %s', ([, given, now, text]) => {
    expect(clockProblem(given, now)).toContain(text)
  })
})

test.for([
  [0, '0 s'],
  [89_499, '89 s'],
  [90_000, '2 min'],
  [5_400_000, '1 h 30 min'],
  [7_200_000, '2 h'],
  [183_600_000, '2 d 3 h'],
] as const)('%i ms are %s', ([ms, text]) => {
  expect(duration(ms)).toBe(text)
})
