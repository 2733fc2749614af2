import { z } from 'zod'
import { SEVERITIES } from '../catalogue.ts'
import { KINDS } from '../evidence.ts'
import { STAGES } from '../stage.ts'
import { STATUSES, type Status } from '../verdict.ts'

const severity = z.enum(SEVERITIES)
const stage = z.enum(STAGES)
const status = z.enum(Object.keys(STATUSES) as [Status, ...Status[]])
const time = z.iso.datetime()
const count = z.int().nonnegative()
const wholeOrDecimal = z.string().regex(/^-?\d+(\.\d+)?$/)

/** What became of a violation, or of a rule's violations as a whole, since the last conclusive run of the rule. */
export const CHANGES = ['new', 'open', 'reopened', 'resolved', 'unknown'] as const
export type Change = (typeof CHANGES)[number]

const since = time
  .nullable()
  .describe('start of the first run that saw it, without a conclusive run since that did not; null: unknown')

const subject = {
  fingerprint: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('sha256 of invariant, subject_type and subject_id, with NUL between them'),
  subject_type: z.string(),
  subject_id: z.string(),
  user_id: z.string().nullable(),
}

const violation = z.strictObject({
  ...subject,
  detail: z.string(),
  expected: wholeOrDecimal,
  actual: wholeOrDecimal,
  occurred_at: time.nullable(),
  change: z
    .enum(CHANGES)
    .exclude(['resolved'])
    .describe('unknown: no history of this rule, or it may have been among those that were only counted'),
  since,
  waived: z.boolean().describe('a live waiver covers it'),
})

const rule = z.strictObject({
  id: z.string(),
  file: z.string(),
  title: z.string(),
  severity,
  why: z.string(),
  fix: z.string(),
  status,
  judged_by: z
    .enum(['select', 'screen'])
    .nullable()
    .describe('screen: its screen showed that there is nothing, the select was not needed; null: not judged'),
  population: count.nullable().describe('what the rule looked at; null: it did not get so far'),
  violations: count.nullable(),
  users: count.nullable().describe('distinct users of all violations'),
  impact: wholeOrDecimal.nullable().describe('Σ |actual − expected| of all violations, in `unit`'),
  unit: z.string(),
  transient: count.nullable().describe('violations of the first look that were gone at the second'),
  waived: count.nullable().describe('of the violations, those that a live waiver covers'),
  lapsed: z.array(z.string()).describe('waivers that no longer hold, in words: expired, or exceeded'),
  mass: z.boolean().describe('more violations than the sample holds: followed by number and impact'),
  change: z.enum(CHANGES).nullable().describe('of the violations as a whole; null: none, and none before'),
  since,
  remind: z.boolean().describe('open, and it is time to say so again: after 1, 3 and 7 days, then weekly'),
  resolved: z
    .array(z.strictObject({ ...subject, since }))
    .describe('violations that are gone since the last conclusive run'),
  trend: z
    .array(z.strictObject({ started_at: time, status, violations: count.nullable() }))
    .describe('the runs before this one, oldest first, at most 29'),
  attempts: count,
  ms: count,
  problem: z.string().nullable().describe('why it could not be judged'),
  psql: z.string().nullable().describe('the shell line that shows the first violation of the sample'),
  sample: z.array(violation).describe('the violations of greatest impact, at most 200'),
})

const target = z.strictObject({
  name: z.string(),
  url: z.string().describe('without password'),
  server: z.string().nullable(),
  standby: z.boolean().nullable(),
  database: z.string().nullable(),
  system: z
    .string()
    .nullable()
    .describe("the cluster's system identifier, the same on a primary and its standbys"),
  stage: stage.nullable(),
  as_of: time.nullable().describe('the moment that the target shows'),
  freshness: z
    .strictObject({
      by: z.enum(['heartbeat', 'replay', 'primary']),
      age_ms: count.nullable().describe('how old what it shows may be; null: unknown'),
    })
    .nullable()
    .describe('how it is known that the target shows the present'),
  screened: z
    .strictObject({
      seed: z.string().nullable().describe('of the keyed weights; null: no screen was asked'),
      full: z.string().nullable().describe('why every select was run; null: screens went before'),
    })
    .nullable()
    .describe('how screens were used; null: it did not get so far'),
  problem: z.string().nullable().describe('why the target as a whole could not be judged'),
  warnings: z.array(z.string()).describe('what does not change the verdict, and must be known'),
  invariants: z.array(rule),
  not_applicable: z.array(z.string()).describe('rules that have no meaning at this stage'),
  needs_evidence: z.array(z.string()).describe('rules that were not judged, since no evidence was given'),
  skipped: z
    .array(z.strictObject({ id: z.string(), reason: z.string() }))
    .describe('rules that the targets file leaves out'),
})

/** The one value that every renderer is given. Numbers of tokens are texts. */
export const reportSchema = z.strictObject({
  version: z.literal(2),
  run_id: z.string(),
  started_at: time,
  finished_at: time,
  as_of: time.nullable().describe("the earliest of the targets' moments"),
  verdict: z.enum(['ok', 'violations', 'could_not_judge']),
  exit: z.union([z.literal(0), z.literal(1), z.literal(2)]),
  fail_on: severity,
  evidence: z
    .array(z.enum(KINDS))
    .nullable()
    .describe('kinds of evidence that were judged by; null: none was given'),
  planned: count,
  executed: count,
  retried: count.describe('transactions that were tried again'),
  history: z
    .enum(['none', 'kept', 'untold'])
    .describe('untold: what the last run found did not reach anybody, so that it is told again'),
  drill: z.boolean().describe('a fire drill: its violation is made up'),
  targets: z.array(target),
})

export type Report = z.output<typeof reportSchema>
export type TargetReport = Report['targets'][number]
export type RuleReport = TargetReport['invariants'][number]
export type ViolationReport = RuleReport['sample'][number]
