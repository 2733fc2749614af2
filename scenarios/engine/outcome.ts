import { join } from 'node:path'
import { audit } from '../../audits/audit.ts'
import { type Catalogue, readCatalogue } from '../../audits/catalogue.ts'
import { type Entitlement, type Evidence, entitlements, parseEvidence } from '../../audits/evidence.ts'
import type { RuleReport } from '../../audits/reports/report.ts'
import type { LedgerRow } from './ledger.ts'
import { isTwice, type Plan, printPlan } from './plan.ts'
import type { Performance, Play } from './play.ts'
import { count } from './story.ts'
import { renderTimeline } from './timeline.ts'

/** What came of performances on one database: their effects, and the database judged by all invariants. */
export interface Outcome {
  readonly performances: readonly Performance[]
  /** Ids of the invariants that are red, sorted. */
  readonly red: readonly string[]
  /** What is not as the stories tell it, a line each; empty: all is as told. */
  readonly complaints: readonly string[]
}

const CATALOGUE = join(import.meta.dirname, '../../audits/invariants')
let everyRule: Promise<Catalogue> | undefined

/** All invariants, read once. */
export function allRules(): Promise<Catalogue> {
  everyRule ??= readCatalogue(CATALOGUE)
  return everyRule
}

/**
 * Judges what was performed, all of it on one app, with the stories' own evidence. Of the app as it was found it is
 * asked that exactly those invariants are red which the stories declare; of any other app, that each step had exactly
 * the effects that its story tells, that each entitlement is a row of the ledger, and that nothing is red but what the
 * stories declare as minor. Throws when the database can't be audited.
 *
 * @param catalogue the rules that have meaning on this database; all of them unless somebody else's schema lacks what
 *   they read
 */
export async function judge(
  play: Play,
  performances: readonly Performance[],
  catalogue?: Catalogue,
): Promise<Outcome> {
  const judgedBy = catalogue ?? (await allRules())
  const evidence = parseEvidence(JSON.stringify(play.evidence()), "the stories' evidence")
  const rules = await rulesOn(play.databaseUrl, evidence, judgedBy)
  const red = rules.filter(({ status }) => status === 'fail')
  const isAsFound = performances.some(({ app }) => app === 'as-found')
  const declared = new Set(
    performances
      .flatMap((performance) => declaredRed(performance, isAsFound))
      .filter((id) => judgedBy.invariants.some((rule) => rule.id === id)),
  )
  const told = isAsFound
    ? []
    : [
        ...performances.flatMap(({ story, complaints }) =>
          complaints.map((complaint) => `${story.name}, ${complaint}`),
        ),
        ...withoutRow(entitlements(evidence).entitlements, (await play.ledger()).rows),
      ]
  return {
    performances,
    red: red.map(({ id }) => id).sort(),
    complaints: [
      ...told,
      ...performances.flatMap(({ invalidRequests }) => invalidRequests),
      ...red.filter(({ id }) => !declared.has(id)).map((rule) => `red, not declared: ${sayRed(rule)}`),
      ...[...declared]
        .filter((id) => !red.some((rule) => rule.id === id))
        .map((id) => `declared, but not red: ${id}`),
    ],
  }
}

async function rulesOn(
  databaseUrl: string,
  evidence: Evidence,
  catalogue: Catalogue,
): Promise<readonly RuleReport[]> {
  const report = await audit({
    targets: [{ name: 'stories', url: databaseUrl }],
    catalogue,
    evidence,
    settle: false,
  })
  const rules = report.targets.flatMap(({ invariants }) => invariants)
  // A story need not touch what a rule looks at: nothing to look at is no failure here.
  const unjudged = [
    ...report.targets.flatMap(({ problem }) => problem ?? []),
    ...rules
      .filter(({ status }) => status === 'error' || status === 'not_run')
      .map(({ id, problem }) => `${id}: ${problem}`),
  ]
  if (unjudged.length > 0) throw new Error(`the stories' database can't be audited:\n${unjudged.join('\n')}`)
  return rules
}

/** Ids of the invariants that the story says turn red. */
export function declaredRed({ story, plan }: Performance, isAsFound: boolean): readonly string[] {
  if (!isAsFound) return story.minor
  return isTwice(plan) ? story.asFound.redTwice : story.asFound.red
}

/** What is owed and is not in the ledger, read without any invariant. */
export function withoutRow(owed: readonly Entitlement[], rows: readonly LedgerRow[]): string[] {
  return owed
    .filter(
      ({ grant_key, user_id, action_type, tokens }) =>
        !rows.some(
          ({ key, userId, type, tokens: size }) =>
            key === grant_key && userId === user_id && type === action_type && size === BigInt(tokens),
        ),
    )
    .map(({ grant_key, action_type, tokens }) => {
      return `owed, and not in token_usage: ${action_type} ${count(BigInt(tokens))} for ${grant_key}`
    })
}

function sayRed({ id, title, violations, sample }: RuleReport): string {
  const [first] = sample
  const example = first === undefined ? '' : `; ${first.subject_type} ${first.subject_id}: ${first.detail}`
  return `${id} (${title}): ${violations} ${violations === 1 ? 'violation' : 'violations'}${example}`
}

/** A performance as text: the story, and its timeline. */
export function renderPerformance({ story, plan, app, cast, played }: Performance): string {
  const names = new Map([...cast.people].map(([name, { userId }]) => [userId, name]))
  const how =
    plan.length === 0 ? app : isTwice(plan) ? `${app}, everything twice` : `${app}, ${printPlan(plan)}`
  const head = `${story.name}: ${story.title} [${how}]`
  return `${head}\n${renderTimeline(played, names)}`
}

/**
 * An outcome as text: as told, or what is not and the line that plays it again.
 * @param flags that this line needs, with a blank before each
 */
export function renderOutcome(outcome: Outcome, flags = ''): string {
  const { red, complaints } = outcome
  const declared = red.length > 0 ? `  red, as declared: ${red.join(', ')}\n` : ''
  if (complaints.length === 0) return `${declared}  as told`
  const lines = complaints.map((complaint) => `  ✗ ${complaint}`)
  return [...lines, `  to play it again: ${reproduce(outcome)}${flags}`].join('\n')
}

/** The names of the stories that broke; where only the database as a whole tells, of all of them. */
export function brokenStories({ performances, complaints }: Outcome): readonly string[] {
  if (complaints.length === 0) return []
  const broken = performances.filter(
    ({ story, invalidRequests }) =>
      invalidRequests.length > 0 || complaints.some((complaint) => complaint.startsWith(`${story.name}, `)),
  )
  return (broken.length > 0 ? broken : performances).map(({ story }) => story.name)
}

function reproduce(outcome: Outcome): string {
  const names = brokenStories(outcome).join(' ')
  const { performances } = outcome
  const [first] = performances
  const elsewhere = first?.app === 'as-found' || first?.app === 'repaired' ? '' : ' --into AN-EMPTY-DATABASE'
  return `npm run replay -- ${names} --app ${first?.app}${elsewhere}${planFlag(first?.plan ?? [])}`
}

/** What `replay` needs to play by this plan, with a blank before it. */
export function planFlag(plan: Plan): string {
  if (plan.length === 0) return ''
  const printed = printPlan(plan)
  return printed === 'twice' ? ' --twice' : ` --plan '${printed}'`
}
