import type { Invariant } from './catalogue.ts'
import { drillReport } from './drill.ts'
import { clockProblem, duration, type Freshness, freshnessOf } from './freshness.ts'
import { type History, type Past, populationFell } from './history.ts'
import { judgedReport, screenedReport, type TargetHead, unjudgedReport } from './judged.ts'
import { follow } from './lifecycle.ts'
import type { Look } from './look.ts'
import type { RuleReport, TargetReport } from './reports/report.ts'
import { blindness, roleWarnings } from './role.ts'
import type { Screened } from './screen.ts'
import { confirm } from './second-look.ts'
import type { Outcome, Session, Surroundings } from './session.ts'
import type { Stage } from './stage.ts'
import { type Target, withoutPassword } from './targets.ts'
import { STATUSES } from './verdict.ts'
import type { Judgement } from './violations.ts'
import { applyWaivers, type Waivers } from './waivers.ts'

/** What all targets of a run share. */
export interface Run {
  readonly rules: readonly Invariant[]
  /** Tables and views, each with the ids of the rules that read it. */
  readonly relations: ReadonlyMap<string, readonly string[]>
  /** Entitlements as JSON; '' when there are none. */
  readonly evidence: string
  /** null: nothing is given time to settle. */
  readonly confirmAfterMs: number | null
  readonly maxStalenessMs: number
  readonly full: boolean
  readonly history: History | undefined
  readonly waivers: Waivers | undefined
  readonly drill: 'raised' | 'resolved' | undefined
  onProgress(progress: Progress): void
  readonly startedAt: string
  readonly began: number
  readonly budgetMs: number
  readonly seed: string
  readonly surroundings: Surroundings
  readonly signal: AbortSignal
}

/** A rule that is about to be judged. */
export interface Progress {
  readonly target: string
  readonly rule: string
  /** Rules of this target that are judged. */
  readonly done: number
  readonly of: number
  readonly elapsedMs: number
  readonly budgetMs: number
}

export interface Judged {
  readonly planned: number
  readonly retried: number
  readonly report: TargetReport
}

/**
 * Judges one target by all rules that apply to it.
 *
 * @param twin the target before it that is the same database
 */
export async function judgeTarget(
  session: Session,
  look: Outcome<Look>,
  twin: string | undefined,
  run: Run,
): Promise<Judged> {
  const { target } = session
  const past = run.history?.of(target.name)
  const seen = 'value' in look ? look.value : undefined
  const stage = seen !== undefined && 'stage' in seen.stage ? seen.stage.stage : null
  const freshness = seen && freshnessOf(seen.moments, run.maxStalenessMs)
  const skipped = (target.skip ?? []).filter(({ id }) => run.rules.some((rule) => rule.id === id))
  const head: TargetHead = {
    name: target.name,
    url: withoutPassword(target.url),
    server: seen?.server ?? null,
    standby: seen?.standby ?? null,
    database: seen?.database ?? null,
    system: seen?.system ?? null,
    stage,
    as_of: seen?.asOf ?? null,
    freshness: freshness === undefined ? null : { by: freshness.by, age_ms: freshness.ageMs },
    screened: null,
    warnings: warningsOf(seen, freshness, past),
    skipped,
  }
  const rules = run.rules.filter((rule) => !skipped.some(({ id }) => id === rule.id))
  const drilled = run.drill === undefined ? [] : [drillReport(run.drill)]
  const finish = (report: RuleReport) => {
    const waived = run.waivers ? applyWaivers(report, target.name, run.waivers, new Date(run.began)) : report
    return follow(vacuousIfFallen(waived, rules, past), past, run.startedAt)
  }

  const problem = problemOf(target, look, twin, freshness)
  if (problem !== null || stage === null || seen === undefined) {
    const invariants = rules.map((rule) =>
      problem?.stale
        ? unjudgedReport(rule, 'stale', problem.text)
        : unjudgedReport(rule, 'not_run', 'the target could not be judged'),
    )
    return {
      planned: rules.length + drilled.length,
      retried: look.attempts - 1,
      report: {
        ...head,
        problem: problem?.text ?? 'the target could not be judged',
        invariants: [...drilled, ...invariants].map(finish),
        not_applicable: [],
        needs_evidence: [],
      },
    }
  }

  const applicable = rules.filter((rule) => rule.stages.includes(stage))
  const planned = applicable.filter((rule) => run.evidence !== '' || !rule.needsEvidence)
  const { reports, screened } = await judgeRules(session, planned, { seen, stage, url: head.url, past }, run)
  return {
    planned: planned.length + drilled.length,
    retried: [look, ...reports].reduce((sum, { attempts }) => sum + Math.max(attempts - 1, 0), 0),
    report: {
      ...head,
      screened,
      problem: planned.length === 0 ? `no rule of this run can be judged at stage ${stage}` : null,
      invariants: [...drilled, ...reports].map(finish),
      not_applicable: idsOf(rules.filter((rule) => !applicable.includes(rule))),
      needs_evidence: idsOf(applicable.filter((rule) => !planned.includes(rule))),
    },
  }
}

/** Why nothing at all can be said of a target. */
function problemOf(
  target: Target,
  look: Outcome<Look>,
  twin: string | undefined,
  freshness: Freshness | undefined,
): { readonly text: string; readonly stale: boolean } | null {
  const broken = (text: string) => ({ text, stale: false })
  if ('failure' in look) return broken(look.failure)
  const { database, system, stage, moments, here } = look.value
  if (twin !== undefined) {
    return broken(
      `this is the same database of the same server as target "${twin}", by another address: one of the two is superfluous, or leads to the wrong place`,
    )
  }
  if (target.database !== undefined && target.database !== database) {
    return broken(`this is the database "${database}", and it must be "${target.database}": check the URL`)
  }
  if (target.system !== undefined && target.system !== system) {
    return broken(
      `the system identifier of this cluster is ${system}, and it must be ${target.system}: does the URL lead to another project, or was it restored into a new one?`,
    )
  }
  if ('unclear' in stage) return broken(`the stage of this database can't be told: ${stage.unclear}`)
  if (target.stage !== undefined && target.stage !== stage.stage) {
    return broken(
      `this database is at stage ${stage.stage}, and it must be at ${target.stage}: was a migration rolled back, or is it another database?`,
    )
  }
  const clock = clockProblem(moments, here)
  if (clock !== null) return broken(clock)
  return freshness?.stale === undefined ? null : { text: freshness.stale, stale: true }
}

function warningsOf(
  seen: Look | undefined,
  freshness: Freshness | undefined,
  past: Past | undefined,
): string[] {
  if (seen === undefined || freshness === undefined) return []
  const before = past?.last
  const changed: string[] = []
  if (before?.standby === true && !seen.standby) {
    changed.push(
      'this was a standby in the last run and is a primary now: it was promoted. The audit goes on; give it a replica to read',
    )
  }
  if (before?.system && before.system !== seen.system) {
    changed.push(
      `the system identifier was ${before.system} in the last run and is ${seen.system} now: another cluster, or one that was restored or upgraded. Pin it in the targets file`,
    )
  }
  return [...freshness.warnings, ...changed, ...roleWarnings(seen.role)]
}

interface Place {
  readonly seen: Look
  readonly stage: Stage
  readonly url: string
  readonly past: Past | undefined
}

interface Found {
  readonly rule: Invariant
  readonly report: RuleReport
  /** What a select found; undefined when it was not run to its end. */
  readonly judgement?: Judgement
}

async function judgeRules(
  session: Session,
  rules: readonly Invariant[],
  place: Place,
  run: Run,
): Promise<{ reports: readonly RuleReport[]; screened: TargetReport['screened'] }> {
  const { screened, found: screens } = await screenRules(session, rules, place, run)
  const given = { asOf: place.seen.asOf, evidence: run.evidence }
  const found: Found[] = []
  let lost: string | undefined
  for (const rule of rules) {
    run.onProgress(progressOf(session, rule, found.length, rules.length, run))
    const screen = screens.get(rule.id)
    const barred = whyNotRun(rule, lost, place.seen, run)
    if (barred !== null) {
      found.push({ rule, report: unjudgedReport(rule, barred.status, barred.text) })
    } else if (screen?.clear && !wasRed(rule, place.past)) {
      found.push({ rule, report: screenedReport(rule, screen.population) })
    } else {
      const began = run.surroundings.now()
      const settleMs = run.confirmAfterMs === null ? 0 : rule.settleMs
      const outcome = await session.judge(rule, { ...given, settleMs, counted: screen?.population })
      if ('failure' in outcome && outcome.lost) lost = outcome.failure
      const report = judgedReport(rule, outcome, Math.round(run.surroundings.now() - began), place)
      found.push({ rule, report, ...('value' in outcome && { judgement: outcome.value }) })
    }
  }
  const confirmed = await secondLook(session, found, place, run)
  return { reports: confirmed.map(({ report }) => report), screened }
}

/** What was found is not resolved by a screen, which may look at less than all: by the select alone. */
function wasRed(rule: Invariant, past: Past | undefined): boolean {
  return (past?.lastConclusive(rule.id)?.violations ?? 0) > 0
}

/** What the screens say of each rule, and why every select is run where that is so. */
async function screenRules(
  session: Session,
  rules: readonly Invariant[],
  { seen, past }: Place,
  run: Run,
): Promise<{ screened: TargetReport['screened']; found: ReadonlyMap<string, Screened> }> {
  const { seed } = run
  const nothing = new Map<string, Screened>()
  const because = whyFull(rules, past, run)
  if (because !== null) return { screened: { seed: null, full: because }, found: nothing }
  const readable = rules.filter((rule) => whyNotRun(rule, undefined, seen, run) === null)
  const outcome = await session.screen(readable, { asOf: seen.asOf, seed })
  if ('failure' in outcome) {
    return {
      screened: { seed, full: `the screens could not be run: ${outcome.failure}` },
      found: nothing,
    }
  }
  return { screened: { seed, full: null }, found: outcome.value }
}

/** Once in so many days every select is run, whatever the screens say: a week, less what a night may be early. */
const FULL_AFTER_MS = 6.5 * 24 * 60 * 60_000

function whyFull(rules: readonly Invariant[], past: Past | undefined, { full, began }: Run): string | null {
  if (full) return '--full'
  if (past === undefined) return 'there is no history that knows when every select was last run'
  const last = past.lastFull(idsOf(rules))
  if (last === null) return 'not every select has been run on this target yet'
  return began - Date.parse(last) >= FULL_AFTER_MS ? 'every select is run once a week' : null
}

function whyNotRun(
  rule: Invariant,
  lost: string | undefined,
  { role }: Look,
  run: Run,
): { readonly status: 'error' | 'not_run'; readonly text: string } | null {
  if (lost !== undefined) {
    return { status: 'not_run', text: `the connection was lost before: ${lost}` }
  }
  if (run.surroundings.now() >= run.began + run.budgetMs) {
    return {
      status: 'not_run',
      text: `the budget of ${duration(run.budgetMs)} was used up before: --budget, or --full less often`,
    }
  }
  const hidden = [...role.unreadable, ...role.filtered]
  return hidden.some((relation) => run.relations.get(relation)?.includes(rule.id))
    ? { status: 'error', text: blindness(role) ?? '' }
    : null
}

/**
 * Runs rules that found something again, when what they look at may still have been settling. The horizon stays: what
 * the first look found has to be there still, and no later fact comes in.
 */
async function secondLook(
  session: Session,
  found: readonly Found[],
  place: Place,
  run: Run,
): Promise<readonly Found[]> {
  const { confirmAfterMs, surroundings, began, budgetMs, signal } = run
  const eventual = found.filter(
    ({ rule, judgement }) => rule.settleMs > 0 && (judgement?.violations ?? 0) > 0,
  )
  if (confirmAfterMs === null || eventual.length === 0) return found
  if (surroundings.now() + confirmAfterMs > began + budgetMs) {
    const text = `violations at the first look, and the budget of ${duration(budgetMs)} has no room for the second, ${duration(confirmAfterMs)} later: --budget, --confirm-after`
    return found.map((one) =>
      eventual.includes(one) ? { ...one, report: unjudgedReport(one.rule, 'not_run', text) } : one,
    )
  }
  await surroundings.wait(confirmAfterMs, signal)
  const again = new Map<Found, Found>()
  for (const one of eventual) {
    again.set(one, await lookAgain(session, one, place, run))
  }
  return found.map((one) => again.get(one) ?? one)
}

async function lookAgain(session: Session, one: Found, place: Place, run: Run): Promise<Found> {
  const { rule, report: before, judgement: first } = one
  const began = run.surroundings.now()
  const outcome = await session.judge(rule, {
    asOf: place.seen.asOf,
    evidence: run.evidence,
    settleMs: rule.settleMs,
  })
  const took = { ms: before.ms + Math.round(run.surroundings.now() - began) }
  const attempts = before.attempts + outcome.attempts - 1
  if ('failure' in outcome || first === undefined) {
    const why = 'failure' in outcome ? outcome.failure : 'nothing to compare with'
    const text = `violations at the first look, and the second could not be made: ${why}`
    return { rule, report: { ...unjudgedReport(rule, 'error', text), ...took, attempts } }
  }
  const { judgement, transient } = confirm(first, outcome.value)
  const report = judgedReport(rule, { value: judgement, attempts }, 0, place)
  return {
    rule,
    judgement,
    report: {
      ...report,
      ...took,
      transient,
      ...(judgement.violations === 0 && transient > 0 && { status: 'transient' }),
    },
  }
}

/**
 * What had nothing to look at, or less than half of what it last looked at, was not judged, whatever it found in the
 * rest; what it found is still shown. Not so where the evidence is what is counted: how much of that there is, is for
 * whoever gives it to say.
 */
function vacuousIfFallen(
  report: RuleReport,
  rules: readonly Invariant[],
  past: Past | undefined,
): RuleReport {
  const { status, population } = report
  if (!STATUSES[status].judged || population === null) return report
  if (population === 0) return { ...report, status: 'vacuous', problem: NOTHING_THERE }
  const rule = rules.find(({ id }) => id === report.id)
  if (rule === undefined || rule.population.includes('audit.evidence')) return report
  const problem = populationFell(report.id, population, past)
  return problem === null ? report : { ...report, status: 'vacuous', problem }
}

const NOTHING_THERE = 'there was nothing to look at: is this the right database, and is it whole?'

function progressOf(session: Session, rule: Invariant, done: number, of: number, run: Run): Progress {
  return {
    target: session.target.name,
    rule: rule.id,
    done,
    of,
    elapsedMs: run.surroundings.now() - run.began,
    budgetMs: run.budgetMs,
  }
}

const idsOf = (rules: readonly Invariant[]): string[] => rules.map(({ id }) => id)
