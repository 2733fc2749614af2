import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { UsageError } from './errors.ts'
import { type History, NOT_FETCHED, openHistory, pastOf, populationFell } from './history.ts'
import { recordOf } from './history-record.ts'
import { dark, failed, report, rule, target, violation } from './reports/examples.ts'
import type { Report, RuleReport, TargetReport } from './reports/report.ts'

/** A process id that no Linux gives. */
const NOBODY = 2 ** 22 + 1

const NOW = new Date('2026-12-01T03:17:00.000Z')

async function scratch(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'audit-history-'))
  onTestFinished(() => rm(path, { recursive: true }))
  return path
}

function opened(
  directory: string,
  { waitMs = 0, targets = ['prod'] }: { waitMs?: number; targets?: string[] } = {},
): Promise<History> {
  return openHistory(directory, { now: NOW, waitMs, targets })
}

/** Opens, works, closes. */
async function using<T>(directory: string, work: (history: History) => T | Promise<T>): Promise<T> {
  const history = await opened(directory, { targets: ['prod', 'eu'] })
  try {
    return await work(history)
  } finally {
    await history.close()
  }
}

/** A run on a day in November. */
function run(day: number, rules: readonly RuleReport[], change: Partial<Report> = {}, name = 'prod'): Report {
  const date = `2026-11-${String(day).padStart(2, '0')}`
  return report([target(rules, { name })], {
    run_id: `${date.replaceAll('-', '')}T031700Z-00000000`,
    started_at: `${date}T03:17:00.000Z`,
    ...change,
  })
}

async function problemsOf(work: Promise<unknown>): Promise<readonly string[]> {
  const error = await work.then(
    () => expect.fail('it was accepted'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof UsageError)) throw error
  return error.problems
}

describe('a history', () => {
  test('that is new knows nothing, and makes its directory', async () => {
    const directory = join(await scratch(), 'a/b')
    await using(directory, (history) => {
      expect(history).toMatchObject({ warnings: [], untold: false })
      const past = history.of('prod')
      expect(past).toMatchObject({ known: false, last: undefined })
      expect(past.lastConclusive('a-rule')).toBeUndefined()
      expect(past.lastFull(['a-rule'])).toBeNull()
    })
  })

  test('with a directory where a record should be is refused by name', async () => {
    const directory = await scratch()
    const place = join(directory, 'prod', '20261101T031700Z-00000000.json')
    await mkdir(place, { recursive: true })
    expect(await problemsOf(opened(directory))).toEqual([
      expect.stringMatching(/00000000\.json can't be read: EISDIR/),
    ])
    await rm(place, { recursive: true })
    await mkdir(join(directory, NOT_FETCHED))
    expect(await problemsOf(opened(directory))).toEqual([
      expect.stringMatching(/not-fetched can't be read: EISDIR/),
    ])
  })

  test('gets one file a run and target, and gives back what the run saw', async () => {
    const directory = await scratch()
    const eu = target([rule()], { name: 'eu', standby: false, system: '42' })
    const night = run(1, [failed(3), rule({ id: 'b-rule' })])
    await using(directory, (history) => history.append({ ...night, targets: [...night.targets, eu] }, true))
    expect((await readdir(directory, { recursive: true })).sort()).toEqual([
      'eu',
      `eu/${night.run_id}.json`,
      'prod',
      `prod/${night.run_id}.json`,
    ])
    await using(directory, (history) => {
      expect(history.of('eu').last).toMatchObject({ standby: false, system: '42', verdict: 'ok' })
      expect(history.of('prod').lastConclusive('a-rule')).toMatchObject({
        status: 'fail',
        violations: 3,
        impact: '15000000',
      })
      expect(history.of('prod').lastConclusive('a-rule')?.open).toHaveLength(3)
    })
  })

  // The last by the files' names, or by their times on a fresh clone, may be another.
  test('is in the order of the runs, whatever the order of the files', async () => {
    const directory = await scratch()
    await using(directory, async (history) => {
      await history.append(run(2, [rule({ population: 2 })], { run_id: 'a' }), null)
      await history.append(run(1, [rule({ population: 1 })], { run_id: 'b' }), null)
    })
    await using(directory, (history) => {
      expect(history.of('prod').lastConclusive('a-rule')?.population).toBe(2)
    })
  })

  // Details are written for engineers; a branch is kept for ever.
  test('holds no detail, no URL, and no words of a server', async () => {
    const directory = await scratch()
    const found = failed(1, { sample: [violation({ detail: 'ann@example.com paid' })] })
    const night = run(1, [found, dark('error', { id: 'b-rule', problem: 'host db.example.com' })])
    await using(directory, (history) => history.append(night, null))
    const text = await readFile(join(directory, 'prod', `${night.run_id}.json`), 'utf8')
    expect(text).toContain('invoice:in_1')
    expect(text).not.toMatch(/example\.com/)
  })

  test('says when what the last run found did not reach anybody', async () => {
    const directory = await scratch()
    const untoldAfter = async (day: number, told: boolean | null, drill = false) => {
      await using(directory, (history) => history.append(run(day, [rule()], { drill }), told))
      return using(directory, (history) => history.untold)
    }
    expect(await untoldAfter(1, true)).toBe(false)
    expect(await untoldAfter(2, false)).toBe(true)
    // Nobody was to be told: a run by hand does not make good for it.
    expect(await untoldAfter(3, null)).toBe(true)
    expect(await untoldAfter(4, true, true)).toBe(true)
    expect(await untoldAfter(5, true)).toBe(false)
    expect(await untoldAfter(6, false, true)).toBe(false)
  })

  test('that can not be written is an error with its path and cause', async () => {
    const directory = await scratch()
    await using(directory, async (history) => {
      await writeFile(join(directory, 'prod'), 'a file where the directory should be')
      const error = await history.append(run(1, [rule()]), null).catch((reason: Error) => reason)
      expect(error).toMatchObject({ message: expect.stringContaining(join(directory, 'prod')) })
      expect((error as Error).cause).toMatchObject({ code: 'EEXIST' })
    })
  })

  test('in a place that can not be one is refused', async () => {
    const file = join(await scratch(), 'file')
    await writeFile(file, '')
    expect(await problemsOf(opened(file))).toEqual([
      expect.stringMatching(/^--history .*file: it can't be used: /),
    ])
  })
})

describe('a file of the history', () => {
  // Refusing it would stop the audit over one bad write; passing it over in silence would hide a lost run.
  test.each(['', '{"version":1,"run_id":"2026'])(
    'that was cut off (%j) loses that run only, and is named',
    async (text) => {
      const directory = await scratch()
      await using(directory, (history) => history.append(run(1, [rule({ population: 7 })]), null))
      await writeFile(join(directory, 'prod/20261102T031700Z-00000000.json'), text)
      await using(directory, (history) => {
        expect(history.warnings).toEqual([
          expect.stringMatching(/20261102T031700Z-00000000\.json was cut off .*that run is lost/),
        ])
        expect(history.of('prod').lastConclusive('a-rule')?.population).toBe(7)
      })
    },
  )

  test('that is being written is not read', async () => {
    const directory = await scratch()
    await mkdir(join(directory, 'prod'))
    await writeFile(join(directory, 'prod/x.json.part'), '{')
    await using(directory, (history) => expect(history.warnings).toEqual([]))
  })

  const good = recordOf(run(1, [failed(1)]), target([failed(1)]), null, {})
  test.each([
    [
      'another version',
      { ...good, version: 2 },
      'it has version 2, and only version 1 is known: was it written by a later audit?',
    ],
    ['another shape', { ...good, rules: {} }, 'rules: Invalid input: expected array, received object'],
    ['no object', null, 'the file: Invalid input: expected object, received null'],
    ['another target', { ...good, target: 'eu' }, 'it is a record of target "eu": move it there'],
  ])('of %s is refused by name', async (_, json, problem) => {
    const directory = await scratch()
    await mkdir(join(directory, 'prod'))
    await writeFile(join(directory, 'prod/x.json'), JSON.stringify(json))
    expect(await problemsOf(opened(directory))).toEqual([`${join(directory, 'prod/x.json')}: ${problem}`])
    // Refused, it is not held either.
    await rm(join(directory, 'prod'), { recursive: true })
    await (await opened(directory)).close()
  })

  test('of a run that is to come is named: a clock is wrong', async () => {
    const directory = await scratch()
    const later = run(1, [rule()], { started_at: '2027-01-01T00:00:00.000Z' })
    await using(directory, (history) => history.append(later, null))
    await using(directory, (history) =>
      expect(history.warnings).toEqual([
        expect.stringContaining('2027-01-01T00:00:00.000Z, which is to come'),
      ]),
    )
  })

  // Old records would make of what was found meanwhile something new; an empty history would call it the first run.
  test('is not believed when the newer ones could not be fetched, and the reason is told', async () => {
    const directory = await scratch()
    await using(directory, (history) => history.append(run(1, [rule()]), null))
    await writeFile(join(directory, NOT_FETCHED), 'git fetch: no route to host\n')
    await using(directory, (history) => {
      expect(history.warnings).toEqual([
        'the history could not be fetched, so nothing is known of the runs before: git fetch: no route to host',
      ])
      expect(history.of('prod').known).toBe(false)
    })
  })
})

describe('two runs on one history', () => {
  test('the second waits for the first, and knows it', async () => {
    const directory = await scratch()
    const first = await opened(directory)
    const second = opened(directory, { waitMs: 60_000 })
    await first.append(run(1, [rule({ population: 7 })]), null)
    await first.close()
    const history = await second
    expect(history.of('prod').lastConclusive('a-rule')?.population).toBe(7)
    await history.close()
  })

  test('the second says who holds it when it waited long enough', async () => {
    const directory = await scratch()
    const first = await opened(directory)
    expect(await problemsOf(opened(directory, { waitMs: 150 }))).toEqual([
      expect.stringContaining(
        `another run (process ${process.pid} on ${hostname()}, since ${NOW.toISOString()})`,
      ),
    ])
    await first.close()
  })

  test('the second can be told to stop waiting', async () => {
    const directory = await scratch()
    const first = await opened(directory)
    const stop = new AbortController()
    const second = openHistory(directory, {
      now: NOW,
      waitMs: 60_000,
      targets: ['prod'],
      signal: stop.signal,
    })
    stop.abort(new Error('Ctrl-C'))
    await expect(second).rejects.toThrow('Ctrl-C')
    await first.close()
  })

  // Else one crash would stop every night after it.
  test('one that died holds nothing', async () => {
    const directory = await scratch()
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    const lock = { token: 't', pid: child.pid, host: hostname(), since: NOW.toISOString() }
    await writeFile(join(directory, '.lock'), JSON.stringify(lock))
    await (await opened(directory)).close()
    expect(await readdir(directory)).toEqual([])
  })

  test.each([
    [
      'on another machine',
      JSON.stringify({ token: 't', pid: NOBODY, host: 'elsewhere', since: NOW.toISOString() }),
    ],
    ['before it could say who it is', ''],
  ])('one that died %s holds it until it was silent for a minute', async (_, text) => {
    const directory = await scratch()
    const path = join(directory, '.lock')
    await writeFile(path, text)
    expect(await problemsOf(opened(directory))).toHaveLength(1)
    await utimes(path, new Date(), new Date(Date.now() - 61_000))
    await (await opened(directory)).close()
  })

  // Who removes a dead one's file may remove the file that another has just made in its place.
  test('of many that find a dead one, one at a time holds it', async () => {
    const directory = await scratch()
    await writeFile(
      join(directory, '.lock'),
      JSON.stringify({ token: 't', pid: NOBODY, host: hostname(), since: NOW.toISOString() }),
    )
    let holders = 0
    let most = 0
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const history = await opened(directory, { waitMs: 60_000 })
        most = Math.max(most, ++holders)
        await new Promise((done) => setImmediate(done))
        holders--
        await history.close()
      }),
    )
    expect(most).toBe(1)
    expect(await readdir(directory)).toEqual([])
  })
})

describe('what is known of the past', () => {
  const record = (day: number, rules: readonly RuleReport[], change: Partial<Report> = {}) => {
    const night = run(day, rules, change)
    return recordOf(night, night.targets[0] as TargetReport, null, {})
  }

  // A run of one rule alone would count as one of all, and the others' screens be believed unseen.
  test('every select was run when the select of each rule was', () => {
    const past = pastOf([
      record(1, [rule(), rule({ id: 'b-rule' })]),
      record(2, [rule({ judged_by: 'screen' }), rule({ id: 'b-rule' })]),
      record(3, [
        rule({ judged_by: 'screen' }),
        dark('error', { id: 'c-rule' }),
        dark('not_run', { id: 'd-rule' }),
      ]),
    ])
    expect(past.lastFull(['a-rule'])).toBe('2026-11-01T03:17:00.000Z')
    expect(past.lastFull(['b-rule', 'c-rule'])).toBe('2026-11-02T03:17:00.000Z')
    expect(past.lastFull(['a-rule', 'b-rule', 'c-rule'])).toBe('2026-11-01T03:17:00.000Z')
    expect(past.lastFull(['a-rule', 'd-rule'])).toBeNull()
    expect(past.lastFull(['a-rule', 'e-rule'])).toBeNull()
  })

  test('the last run is the last real one', () => {
    const past = pastOf([record(1, [rule()]), record(2, [rule()], { drill: true })])
    expect(past).toMatchObject({ known: true, last: { started_at: '2026-11-01T03:17:00.000Z' } })
    expect(pastOf([record(2, [rule()], { drill: true })]).known).toBe(false)
  })

  // Compared with the last run of any kind, the second night of an emptied table would be a green one.
  test('a population fell when it is less than half of what was last judged', () => {
    const past = pastOf([
      record(1, [rule({ population: 1_000 })]),
      record(2, [rule({ population: 400, status: 'vacuous' })]),
    ])
    expect(populationFell('a-rule', 499, past)).toMatch(
      /^it looked at 499, and at 1,000 when it was last judged: /,
    )
    expect(populationFell('a-rule', 500, past)).toBeNull()
    expect(populationFell('b-rule', 1, past)).toBeNull()
    expect(populationFell('a-rule', 1, undefined)).toBeNull()
  })
})
