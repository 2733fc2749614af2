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

const violation = z.strictObject({
  fingerprint: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('sha256 of invariant, subject_type and subject_id, with NUL between them'),
  subject_type: z.string(),
  subject_id: z.string(),
  user_id: z.string().nullable(),
  detail: z.string(),
  expected: wholeOrDecimal,
  actual: wholeOrDecimal,
  occurred_at: time.nullable(),
})

const rule = z.strictObject({
  id: z.string(),
  file: z.string(),
  title: z.string(),
  severity,
  why: z.string(),
  fix: z.string(),
  status,
  population: count.nullable().describe('what the rule looked at; null: it did not get so far'),
  violations: count.nullable(),
  users: count.nullable().describe('distinct users of all violations'),
  impact: wholeOrDecimal.nullable().describe('Σ |actual − expected| of all violations, in `unit`'),
  unit: z.string(),
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
  stage: stage.nullable(),
  as_of: time.nullable().describe('the moment that the target shows'),
  problem: z.string().nullable().describe('why the target as a whole could not be judged'),
  invariants: z.array(rule),
  not_applicable: z.array(z.string()).describe('rules that have no meaning at this stage'),
  needs_evidence: z.array(z.string()).describe('rules that were not judged, since no evidence was given'),
})

/** The one value that every renderer is given. Numbers of tokens are texts. */
export const reportSchema = z.strictObject({
  version: z.literal(1),
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
  targets: z.array(target),
})

export type Report = z.output<typeof reportSchema>
export type TargetReport = Report['targets'][number]
export type RuleReport = TargetReport['invariants'][number]
export type ViolationReport = RuleReport['sample'][number]
