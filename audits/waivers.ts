import { z } from 'zod'
import { exceeds, gap, sum } from './decimal.ts'
import { UsageError } from './errors.ts'
import type { History, Past } from './history.ts'
import type { WaiverUse } from './history-record.ts'
import type { Report, RuleReport, TargetReport, ViolationReport } from './reports/report.ts'
import { group, plural } from './reports/words.ts'
import { NAME } from './targets.ts'
import { STATUSES } from './verdict.ts'
import { readYaml } from './yaml-file.ts'

/** What somebody has decided to live with, for a while and within bounds. */
export interface Waiver {
  /** What it covers, and where: no two waivers share it. */
  readonly key: string
  /** File and line. */
  readonly place: string
  readonly invariant?: string
  readonly fingerprint?: string
  /** The one target that it holds on; none: all. */
  readonly target?: string
  readonly ticket: string
  /** The last day on which it holds, in UTC: 2026-11-30. */
  readonly expires: string
  readonly maxRows: number
  /** In the rule's unit. */
  readonly maxImpact: string
}

export type Waivers = readonly Waiver[]

/** No waiver holds for longer, in days. */
export const MOST_DAYS = 90

const DAY_MS = 24 * 60 * 60_000

const text = (what: string) => z.string(`${what}; in quotes if it begins with #`).trim().min(1, what)

const IMPACT = 'a whole number, or a decimal in quotes: it covers no greater impact'

const entry = z
  .strictObject({
    invariant: z.string().optional(),
    fingerprint: z
      .string('64 hexadecimal digits, in quotes')
      .regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits, as the JSON report has them')
      .optional(),
    target: z.string().regex(NAME, "a target's name").optional(),
    owner: text('who answers for it'),
    reason: text('why it is so'),
    ticket: text('where it is followed'),
    expires: z.iso.date('a date such as 2026-11-30: the last day on which it holds, in UTC'),
    'max-rows': z.int('a whole number: it covers no more rows').positive('a whole number, at least 1'),
    'max-impact': z
      .union([z.int(IMPACT), z.string()], IMPACT)
      .transform(String)
      .pipe(z.string().regex(/^\d+(\.\d+)?$/, IMPACT)),
  })
  .refine(({ invariant, fingerprint }) => (invariant === undefined) !== (fingerprint === undefined), {
    message: 'either invariant or fingerprint',
  })

const file = z.array(entry, 'a list of waivers').default([])

/**
 * Reads the waivers of a file. One that has expired is no mistake: it has lapsed.
 *
 * @param ids of all rules
 * @throws UsageError with one line for each problem: file, line, what
 */
export async function readWaivers(path: string, ids: readonly string[], now: Date): Promise<Waivers> {
  const { value, place } = await readYaml(path, file)
  const latest = dayOf(new Date(now.getTime() + MOST_DAYS * DAY_MS))
  const problems: string[] = []
  const waivers: Waiver[] = []
  for (const [index, given] of value.entries()) {
    const { invariant, fingerprint, target, ticket, expires } = given
    if (invariant !== undefined && !ids.includes(invariant)) {
      problems.push(
        `${place(index, 'invariant')}: there is no rule "${invariant}"; npm run invariants lists them`,
      )
    }
    if (expires > latest) {
      problems.push(`${place(index, 'expires')}: at most ${MOST_DAYS} days from today: ${latest} or before`)
    }
    const key = `${invariant ?? fingerprint}${target === undefined ? '' : `@${target}`}`
    const twin = waivers.find((other) => other.key === key)
    if (twin !== undefined)
      problems.push(`${place(index)}: this is waived already, in ${twin.place}: change that entry`)
    waivers.push({
      key,
      place: place(index),
      ...(invariant !== undefined && { invariant }),
      ...(fingerprint !== undefined && { fingerprint }),
      ...(target !== undefined && { target }),
      ticket,
      expires,
      maxRows: given['max-rows'],
      maxImpact: given['max-impact'],
    })
  }
  if (problems.length > 0) throw new UsageError(problems)
  return waivers
}

/**
 * Marks what live waivers cover in a rule that failed, and says which waivers of its rows no longer hold. A waiver
 * whose bounds are exceeded covers none of its rows. Numbers stay as they are.
 *
 * Of a rule with more rows than its sample holds, a fingerprint's waiver covers what is seen.
 */
export function applyWaivers(rule: RuleReport, target: string, waivers: Waivers, now: Date): RuleReport {
  if (rule.status !== 'fail') return rule
  const concerned = waivers.filter((waiver) => holdsOn(waiver, target) && rowsOf(waiver, rule) > 0)
  const broken = new Map(concerned.map((waiver) => [waiver, whyLapsed(waiver, rule, now)]))
  const live = concerned.filter((waiver) => broken.get(waiver) === null)
  const whole = live.some(({ invariant }) => invariant !== undefined)
  const sample = rule.sample.map((violation) => ({
    ...violation,
    waived: live.some((waiver) => covers(waiver, rule, violation)),
  }))
  const waived = whole ? (rule.violations ?? 0) : sample.filter((violation) => violation.waived).length
  return {
    ...rule,
    sample,
    waived,
    status: waived === rule.violations ? 'waived' : 'fail',
    lapsed: concerned.flatMap((waiver) => {
      const open = sample.some((one) => covers(waiver, rule, one) && !one.waived)
      return open ? (broken.get(waiver) ?? []) : []
    }),
  }
}

/** What became of each waiver in a run, on all its targets together. */
export function waiverUses(
  report: Report,
  pastOf: (target: string) => Past,
  waivers: Waivers,
): Record<string, WaiverUse> {
  return Object.fromEntries(
    waivers.map((waiver) => {
      const uses = report.targets
        .filter(({ name }) => holdsOn(waiver, name))
        .map((target) => useOn(waiver, target, pastOf(target.name)))
      const use = uses.includes('used')
        ? 'used'
        : uses.length === 0 || uses.includes('unknown')
          ? 'unknown'
          : 'unused'
      return [waiver.key, use]
    }),
  )
}

/**
 * The waivers that nothing needed in this run, nor in the one before that could tell: a line each. To be asked before
 * the run is added to the history.
 */
export function unusedWaivers(
  report: Report,
  history: History | undefined,
  waivers: Waivers,
): readonly string[] {
  if (history === undefined || report.drill) return []
  const uses = waiverUses(report, history.of, waivers)
  return waivers
    .filter((waiver) => {
      const targets = report.targets.filter(({ name }) => holdsOn(waiver, name))
      return (
        uses[waiver.key] === 'unused' &&
        targets.every(({ name }) => history.of(name).waiver(waiver.key) === 'unused')
      )
    })
    .map(({ place, invariant, fingerprint, target }) => {
      const what = invariant === undefined ? `fingerprint ${fingerprint?.slice(0, 12)}…` : `rule ${invariant}`
      return `${place}: the waiver of ${what}${target === undefined ? '' : ` on ${target}`} covered nothing in two runs: remove it`
    })
}

function holdsOn(waiver: Waiver, target: string): boolean {
  return waiver.target === undefined || waiver.target === target
}

function covers(waiver: Waiver, rule: RuleReport, violation: ViolationReport): boolean {
  return waiver.invariant === rule.id || waiver.fingerprint === violation.fingerprint
}

function rowsOf(waiver: Waiver, rule: RuleReport): number {
  if (waiver.invariant !== undefined) return waiver.invariant === rule.id ? (rule.violations ?? 0) : 0
  return rule.sample.filter((violation) => covers(waiver, rule, violation)).length
}

function impactOf(waiver: Waiver, rule: RuleReport): string {
  return waiver.invariant === undefined
    ? sum(
        rule.sample
          .filter((one) => covers(waiver, rule, one))
          .map(({ expected, actual }) => gap(expected, actual)),
      )
    : (rule.impact ?? '0')
}

/** null: it holds. */
function whyLapsed(waiver: Waiver, rule: RuleReport, now: Date): string | null {
  const { ticket, place, expires, maxRows, maxImpact } = waiver
  const name = `the waiver ${ticket} (${place})`
  if (dayOf(now) > expires) return `${name} ended on ${expires}: what it covered counts again`
  const rows = rowsOf(waiver, rule)
  const impact = impactOf(waiver, rule)
  if (rows <= maxRows && !exceeds(impact, maxImpact)) return null
  const bounds = `${plural(maxRows, 'row')} and ${group(maxImpact)} ${rule.unit}`
  return `${name} covers at most ${bounds}, and there are ${plural(rows, 'row')} of ${group(impact)} ${rule.unit}: it covers none of them`
}

function useOn(waiver: Waiver, target: TargetReport, past: Past): WaiverUse {
  if (target.invariants.some((rule) => rowsOf(waiver, rule) > 0)) return 'used'
  const id = waiver.invariant ?? past.ruleOf(waiver.fingerprint ?? '')
  if (id === undefined) {
    return target.problem === null && target.invariants.every(isTold) ? 'unused' : 'unknown'
  }
  const rule = target.invariants.find((one) => one.id === id)
  return rule !== undefined && isTold(rule) ? 'unused' : 'unknown'
}

/** Whether it is known which violations a rule has, each of them. */
function isTold({ status, mass }: RuleReport): boolean {
  return STATUSES[status].judged && !mass
}

/** The day in UTC: 2026-11-30. */
export function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10)
}
