import { z } from 'zod'
import { DRILL } from './drill.ts'
import type { Report, RuleReport, TargetReport } from './reports/report.ts'
import { STATUSES, type Status } from './verdict.ts'

const time = z.iso.datetime()
const count = z.int().nonnegative()

/** What became of a waiver in a run. unknown: the run could not tell. */
export const WAIVER_USES = ['used', 'unused', 'unknown'] as const
export type WaiverUse = (typeof WAIVER_USES)[number]

const subject = z.strictObject({
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  subject_type: z.string(),
  subject_id: z.string(),
  user_id: z.string().nullable(),
  since: time.describe('start of the first run that saw it'),
})

const rule = z.strictObject({
  id: z.string(),
  status: z.enum(Object.keys(STATUSES) as [Status, ...Status[]]),
  select: z.boolean().describe('its select was run, or tried'),
  population: count.nullable(),
  violations: count.nullable(),
  impact: z.string().nullable(),
  mass: z.boolean().describe('there were more violations than are named here'),
  since: time.nullable().describe('start of the first run that saw the incident; null: there is none'),
  open: z.array(subject).describe('the violations of the sample'),
})

/**
 * What one run leaves behind of one target: a file of its own, never changed. No detail, no URL, no problem's text:
 * opaque ids, counts and amounts only.
 */
export const recordSchema = z.strictObject({
  version: z.literal(1),
  run_id: z.string(),
  target: z.string(),
  started_at: time,
  finished_at: time,
  verdict: z.enum(['ok', 'violations', 'could_not_judge']),
  told: z.boolean().nullable().describe('whether the findings reached somebody; null: nobody was to be told'),
  drill: z.boolean(),
  standby: z.boolean().nullable(),
  database: z.string().nullable(),
  system: z.string().nullable(),
  rules: z.array(rule),
  waivers: z.record(z.string(), z.enum(WAIVER_USES)),
})

export type RecordedTarget = z.output<typeof recordSchema>
export type RecordedRule = RecordedTarget['rules'][number]

/**
 * The record of a target's report. Of a drill, only what is made up is kept: what a drill finds besides is for the
 * next real run to find, or it would be old news by then.
 */
export function recordOf(
  report: Report,
  target: TargetReport,
  told: boolean | null,
  waivers: Readonly<Record<string, WaiverUse>>,
): RecordedTarget {
  const { run_id, started_at, finished_at, verdict, drill } = report
  const { name, standby, database, system, invariants } = target
  return {
    version: 1,
    run_id,
    target: name,
    started_at,
    finished_at,
    verdict,
    told,
    drill,
    standby,
    database,
    system,
    rules: invariants
      .filter(({ id }) => !drill || id === DRILL)
      .map((rule) => recordedRule(rule, started_at)),
    waivers: { ...waivers },
  }
}

function recordedRule(rule: RuleReport, startedAt: string): RecordedRule {
  const { id, status, judged_by, population, violations, impact, mass, since, sample } = rule
  return {
    id,
    status,
    select: judged_by === 'select' || status === 'error',
    population,
    violations,
    impact,
    mass,
    since: (violations ?? 0) > 0 ? (since ?? startedAt) : null,
    open: sample.map(({ fingerprint, subject_type, subject_id, user_id, since }) => ({
      fingerprint,
      subject_type,
      subject_id,
      user_id,
      since: since ?? startedAt,
    })),
  }
}
