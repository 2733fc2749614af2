import { DRILL } from './drill.ts'
import type { Past } from './history.ts'
import type { RecordedRule } from './history-record.ts'
import type { RuleReport, ViolationReport } from './reports/report.ts'
import { STATUSES } from './verdict.ts'

const DAY_MS = 24 * 60 * 60_000

/**
 * Tells what became of a rule's violations since the last run in which it was judged: new, open, reopened, resolved;
 * unknown where that can't be known. A run that could not judge the rule opens and resolves nothing.
 *
 * @param past undefined: no history is kept
 */
export function follow(rule: RuleReport, past: Past | undefined, startedAt: string): RuleReport {
  const before = past?.lastConclusive(rule.id)
  const trend = past?.trend(rule.id) ?? []
  const became = STATUSES[rule.status].judged
    ? compared(rule, before, past, startedAt)
    : isOpen(before)
      ? still(before)
      : (rule.violations ?? 0) > 0
        ? allUnknown(rule)
        : NOTHING
  const remind =
    became.change === 'open' &&
    became.since !== null &&
    isTime(became.since, past?.last?.started_at, startedAt)
  return { ...rule, ...became, remind, trend }
}

type Became = Pick<RuleReport, 'change' | 'since'> & Partial<Pick<RuleReport, 'sample' | 'resolved'>>

const NOTHING: Became = { change: null, since: null }

const still = ({ since }: RecordedRule): Became => ({ change: 'open', since })

function compared(
  rule: RuleReport,
  before: RecordedRule | undefined,
  past: Past | undefined,
  startedAt: string,
): Became {
  const found = (rule.violations ?? 0) > 0
  // A drill that nobody ended must not keep the next one from ringing: each is an incident of its own.
  if (past !== undefined && rule.id === DRILL && found) return allNew(rule, startedAt)
  if (before === undefined) return found ? allUnknown(rule) : NOTHING
  if (!found) {
    return isOpen(before) ? { change: 'resolved', since: before.since, resolved: [...before.open] } : NOTHING
  }
  const sample = rule.sample.map((violation) => followed(violation, before, past, startedAt))
  const resolved = rule.mass ? [] : before.open.filter((one) => !isIn(rule.sample, one))
  if (isOpen(before)) return { ...still(before), sample, resolved }
  const again = sample.some(({ change }) => change === 'reopened')
  return { change: again ? 'reopened' : 'new', since: startedAt, sample, resolved }
}

function followed(
  violation: ViolationReport,
  before: RecordedRule,
  past: Past | undefined,
  startedAt: string,
): ViolationReport {
  const known = before.open.find(({ fingerprint }) => fingerprint === violation.fingerprint)
  if (known !== undefined) return { ...violation, change: 'open', since: known.since }
  // It may have been one of those that were only counted.
  if (before.mass) return { ...violation, change: 'unknown', since: null }
  const again = past?.ruleOf(violation.fingerprint) !== undefined
  return { ...violation, change: again ? 'reopened' : 'new', since: startedAt }
}

function allNew(rule: RuleReport, since: string): Became {
  return { change: 'new', since, sample: rule.sample.map((one) => ({ ...one, change: 'new', since })) }
}

function allUnknown(rule: RuleReport): Became {
  return {
    change: 'unknown',
    since: null,
    sample: rule.sample.map((one) => ({ ...one, change: 'unknown', since: null })),
  }
}

function isOpen(rule: RecordedRule | undefined): rule is RecordedRule {
  return (rule?.violations ?? 0) > 0
}

function isIn(
  all: readonly { readonly fingerprint: string }[],
  { fingerprint }: { readonly fingerprint: string },
): boolean {
  return all.some((one) => one.fingerprint === fingerprint)
}

/** Whether 1, 3, 7 days, or another 7, after `since` have passed since the last run. */
function isTime(since: string, last: string | undefined, now: string): boolean {
  return last !== undefined && reminders(since, now) > reminders(since, last)
}

function reminders(since: string, time: string): number {
  const days = (Date.parse(time) - Date.parse(since)) / DAY_MS
  return [1, 3].filter((after) => days >= after).length + Math.max(0, Math.floor(days / 7))
}
