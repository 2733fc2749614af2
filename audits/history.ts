import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { shown, UsageError } from './errors.ts'
import { takeLock } from './history-lock.ts'
import { type RecordedRule, type RecordedTarget, recordOf, recordSchema } from './history-record.ts'
import type { Report, RuleReport, TargetReport } from './reports/report.ts'
import { group } from './reports/words.ts'
import { STATUSES } from './verdict.ts'
import { type Waivers, waiverUses } from './waivers.ts'
import { writeWhole } from './write-whole.ts'

/** Where `npm run history -- pull` says why the history could not be fetched. */
export const NOT_FETCHED = '.not-fetched'

export interface HistoryOptions {
  readonly now: Date
  /** How long to wait for another run on this history, in ms. */
  readonly waitMs: number
  /** Names of the targets of this run; the records of others are not read. */
  readonly targets: readonly string[]
  /** Aborted: the wait ends with the signal's reason. */
  readonly signal?: AbortSignal
}

/** The runs before this one, of each target; held by this run alone until it is closed. */
export interface History {
  readonly warnings: readonly string[]
  /** What the last run that had to tell somebody found did not reach anybody. */
  readonly untold: boolean
  of(target: string): Past
  /**
   * Adds this run's records, one file a target.
   *
   * @param told whether the findings reached somebody; null: nobody was to be told
   * @param waivers those of this run: whether each was needed is kept
   * @throws Error with path and cause when a record can't be written
   */
  append(report: Report, told: boolean | null, waivers?: Waivers): Promise<void>
  close(): Promise<void>
}

/** What is known of a target from the runs before. Drills count for the drill's own rule only. */
export interface Past {
  /** There is at least one run. */
  readonly known: boolean
  readonly last: RecordedTarget | undefined
  /** The last run in which the rule was judged, as it left it. */
  lastConclusive(rule: string): RecordedRule | undefined
  /** The rule of a violation that an earlier run named; undefined: none did. */
  ruleOf(fingerprint: string): string | undefined
  /** The last 29 runs of a rule, oldest first. */
  trend(rule: string): RuleReport['trend']
  /** The start of the last run by which the select of each of these rules had been run; null: one never was. */
  lastFull(rules: readonly string[]): string | null
  /** What became of a waiver in the last run that could tell; undefined: it was not there, or none could tell. */
  waiver(key: string): 'used' | 'unused' | undefined
}

const TREND = 29

/**
 * Opens the history in a directory, which is made when it is missing, and locks it.
 *
 * A file that is no JSON was cut off while it was written: that run is lost, and named in `warnings`.
 *
 * @throws UsageError when the directory can't be used, when another run holds it for longer than `waitMs`, and for a
 *   record of another shape or version
 */
export async function openHistory(directory: string, options: HistoryOptions): Promise<History> {
  const usable = (error: NodeJS.ErrnoException): never => {
    throw new UsageError(`--history ${shown(directory)}: it can't be used: ${error.message}`)
  }
  await mkdir(directory, { recursive: true }).catch(usable)
  const lock = await takeLock(directory, options).catch((error) =>
    error instanceof UsageError || options.signal?.aborted ? Promise.reject(error) : usable(error),
  )
  try {
    const { records, warnings } = await readRecords(directory, options)
    const pasts = new Map(options.targets.map((name) => [name, pastOf(records.get(name) ?? [])]))
    const of = (target: string) => pasts.get(target) ?? pastOf([])
    return {
      warnings,
      untold: [...records.values()].some(
        (all) => all.findLast(({ told, drill }) => told !== null && !drill)?.told === false,
      ),
      of,
      append: (report, told, waivers = []) =>
        append(directory, report, (target) =>
          recordOf(report, target, told, waiverUses(report, of, waivers)),
        ),
      close: () => lock.release(),
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}

/** What is known from these records of one target, oldest first. */
export function pastOf(records: readonly RecordedTarget[]): Past {
  const real = records.filter(({ drill }) => !drill)
  const named = new Map(
    records.flatMap(({ rules }) =>
      rules.flatMap(({ id, open }) => open.map(({ fingerprint }) => [fingerprint, id] as const)),
    ),
  )
  const runsOf = (id: string) =>
    records.flatMap((run) => {
      const rule = run.rules.find((one) => one.id === id)
      return rule === undefined ? [] : [{ run, rule }]
    })
  const conclusive = (id: string) => runsOf(id).filter(({ rule }) => STATUSES[rule.status].judged)
  return {
    known: real.length > 0,
    last: real.at(-1),
    lastConclusive: (id) => conclusive(id).at(-1)?.rule,
    ruleOf: (fingerprint) => named.get(fingerprint),
    trend: (id) =>
      runsOf(id)
        .slice(-TREND)
        .map(({ run, rule }) => ({
          started_at: run.started_at,
          status: rule.status,
          violations: rule.violations,
        })),
    lastFull: (ids) => {
      const times = ids.map((id) => runsOf(id).findLast(({ rule }) => rule.select)?.run.started_at ?? null)
      return times.includes(null) ? null : (times.toSorted()[0] ?? null)
    },
    waiver: (key) => {
      const last = real.findLast(({ waivers }) => waivers[key] !== 'unknown')?.waivers[key]
      return last === 'unknown' ? undefined : last
    },
  }
}

/**
 * Why a rule that found nothing has not been judged: it looked at less than half of what it looked at in the last
 * run in which it was judged. null: it did not.
 */
export function populationFell(rule: string, population: number, past: Past | undefined): string | null {
  const before = past?.lastConclusive(rule)?.population ?? null
  if (before === null || population * 2 >= before) return null
  const [now, then] = [population, before].map((count) => group(String(count)))
  return `it looked at ${now}, and at ${then} when it was last judged: is this the right database, and is it whole? If it is, move this target's directory out of the history`
}

async function readRecords(
  directory: string,
  { targets, now }: HistoryOptions,
): Promise<{ records: ReadonlyMap<string, readonly RecordedTarget[]>; warnings: readonly string[] }> {
  const notFetched = await readIfThere(join(directory, NOT_FETCHED))
  if (notFetched !== undefined) {
    const why = notFetched.trim()
    return {
      records: new Map(),
      warnings: [`the history could not be fetched, so nothing is known of the runs before: ${why}`],
    }
  }
  const records = new Map<string, readonly RecordedTarget[]>()
  const warnings: string[] = []
  const problems: string[] = []
  for (const target of targets) {
    const found: RecordedTarget[] = []
    for (const name of await namesIn(join(directory, target))) {
      const path = join(directory, target, name)
      const text = await readIfThere(path)
      if (text === undefined) continue
      const read = readRecord(text, target)
      if ('torn' in read) {
        warnings.push(
          `${shown(path)} was cut off while it was written: that run is lost to the history. Remove it`,
        )
      } else if ('problems' in read) {
        problems.push(...read.problems.map((problem) => `${shown(path)}: ${problem}`))
      } else {
        found.push(read.record)
        if (Date.parse(read.record.started_at) > now.getTime()) {
          warnings.push(
            `${shown(path)} is of a run at ${read.record.started_at}, which is to come: a clock is wrong`,
          )
        }
      }
    }
    const order = ({ started_at, run_id }: RecordedTarget) => `${started_at} ${run_id}`
    records.set(
      target,
      found.toSorted((a, b) => (order(a) < order(b) ? -1 : 1)),
    )
  }
  if (problems.length > 0) throw new UsageError(problems)
  return { records, warnings }
}

type Read =
  | { readonly record: RecordedTarget }
  | { readonly torn: true }
  | { readonly problems: readonly string[] }

function readRecord(text: string, target: string): Read {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return { torn: true }
  }
  const parsed = recordSchema.safeParse(json)
  if (!parsed.success) {
    const { version } = (json ?? {}) as { version?: unknown }
    return {
      problems:
        version === 1 || version === undefined
          ? parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`)
          : [
              `it has version ${JSON.stringify(version)}, and only version 1 is known: was it written by a later audit?`,
            ],
    }
  }
  return parsed.data.target === target
    ? { record: parsed.data }
    : { problems: [`it is a record of target "${parsed.data.target}": move it there`] }
}

async function namesIn(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new UsageError(`${shown(directory)} can't be read: ${error.message}`)
  })
  return names.filter((name) => name.endsWith('.json') && !name.startsWith('.')).sort()
}

async function readIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new UsageError(`${shown(path)} can't be read: ${error.message}`)
  })
}

async function append(
  directory: string,
  { run_id, targets }: Report,
  record: (target: TargetReport) => RecordedTarget,
): Promise<void> {
  for (const target of targets) {
    const path = join(directory, target.name, `${run_id}.json`)
    try {
      await mkdir(join(directory, target.name), { recursive: true })
      await writeWhole(path, `${JSON.stringify(record(target))}\n`)
    } catch (error) {
      const { message } = error as Error
      throw new Error(`the history can't be written: ${shown(path)}: ${message}`, { cause: error })
    }
  }
}
