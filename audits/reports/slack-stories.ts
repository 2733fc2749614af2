import { reaches } from '../verdict.ts'
import type { Report, RuleReport, ViolationReport } from './report.ts'
import {
  type Changes,
  growth,
  isUncovered,
  lastJudged,
  news,
  standingOf,
  USERS,
  type UserGroup,
} from './slack-changes.ts'
import { code, codeBlock, mrkdwn } from './slack-text.ts'
import { totalOf } from './total.ts'
import { type Finding, group, measureOf, plural, SUBJECTS, type Unjudged } from './words.ts'

/** What is told in one place. All texts are Slack's mrkdwn, escaped. */
export interface Story {
  /** What happened, in one line. */
  readonly heading: string
  /** The most important lines first. */
  readonly lines: readonly string[]
  /** What is shown whole or not at all. */
  readonly psql: string | null
}

/** Of long texts, so that no story leaves out its end. */
const NAME = 80
const TITLE = 200
const FIX = 500
const PART = 600

const DAY = 86_400_000

/**
 * One story for each thing to tell, in the order of `changesOf`. They hold opaque ids, numbers, texts of the
 * catalogue, why something could not be judged, and which waiver lapsed: nothing else.
 */
export function storiesOf(changes: Changes, report: Report): Story[] {
  return [
    ...changes.unjudged.map(unjudgedStory),
    ...changes.incidents.map((incident) =>
      'users' in incident ? userStory(incident, report) : ruleStory(incident, report),
    ),
    ...changes.waived.map((finding) => ruleStory(finding, report)),
    ...changes.resolved.map(resolvedStory),
  ]
}

/** How many rules are new, open again, resolved …: one line. */
export function changesLine({ told, waived, resolved, unchanged }: Changes, report: Report): string {
  const standing = (which: string) => told.filter(({ rule }) => standingOf(rule, report) === which)
  const open = standing('open')
  const grown = open.filter(({ rule }) => news(rule) > 0 || growth(rule) > 0).length
  const lapsed = told.filter(({ rule }) => rule.lapsed.length > 0).length
  const counts: [number, string][] = [
    [standing('new').length, 'new'],
    [standing('reopened').length, 'reopened'],
    [grown, 'open with new violations'],
    [open.length - grown, 'open, told again'],
    [standing('unknown').length, 'of unknown history'],
    [lapsed, lapsed === 1 ? 'with a lapsed waiver' : 'with lapsed waivers'],
    [waived.length, 'waived'],
    [resolved.length, 'with resolved violations'],
    [unchanged.length, 'open, unchanged'],
  ]
  const parts = counts
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${group(String(count))} ${what}`)
  return parts.length === 0 ? '' : `Rules: ${parts.join(' · ')}`
}

/** What is open and not told again: one line; undefined when there is nothing. */
export function unchangedLine({ told, unchanged }: Changes): string | undefined {
  if (unchanged.length === 0) return undefined
  const since = [...new Set(unchanged.map(({ rule }) => rule.since?.slice(0, 10) ?? ''))].sort()
  const when = since.includes('') ? '' : ` since ${since[0]}${since.length > 1 ? ' or later' : ''}`
  return `${group(String(unchanged.length))}${told.length > 0 ? ' more' : ''} open${when}, unchanged`
}

function unjudgedStory({ target, rules, problem }: Unjudged): Story {
  const what = rules.length === 0 ? 'the whole target' : plural(rules.length, 'rule')
  return {
    heading: `:warning: *Could not judge* · ${mrkdwn(target.name, NAME)}: ${what}`,
    lines: [
      mrkdwn(problem, PART),
      ...(rules.length === 0 ? [] : [mrkdwn(rules.map(({ id }) => id).join(', '), PART)]),
    ],
    psql: null,
  }
}

function ruleStory({ target, rule }: Finding, report: Report): Story {
  return {
    heading: `${icon(rule, report)} *${standingWords(rule, report)} · ${severityWords(rule, report)}* · ${mrkdwn(target.name, NAME)} · *${mrkdwn(rule.title, TITLE)}*`,
    lines: [
      aboutWords(rule, report),
      ...lapsedLines(rule),
      doLine(rule),
      ...subjectLines(changedFirst(rule.sample), rule.violations ?? 0),
    ],
    psql: rule.psql === null ? null : codeBlock(rule.psql),
  }
}

function userStory({ target, users, rules }: UserGroup, report: Report): Story {
  const [first] = rules
  if (first === undefined) throw new Error('a user without a broken rule')
  const who =
    users.length === 1
      ? `one user breaks ${plural(rules.length, 'rule')}`
      : `${users.length} users break the same ${plural(rules.length, 'rule')}`
  return {
    heading: `${icon(first, report)} *${standingWords(first, report)} · ${severityWords(first, report)}* · ${mrkdwn(target.name, NAME)} · *${who}*: ${users
      .slice(0, USERS)
      .map((user) => code(user, 60))
      .join(' ')}`,
    lines: [
      `Together: ${mrkdwn(totalOf(rules.map((rule) => ({ target, rule }))), PART)}`,
      ...rules.flatMap((rule) => [
        `• *${mrkdwn(rule.title, TITLE)}* (${standingWords(rule, report).toLowerCase()}, ${severityWords(rule, report)}): ${aboutWords(rule, report)}`,
        ...lapsedLines(rule),
        doLine(rule),
      ]),
    ],
    psql: rules.map(({ psql }) => psql && codeBlock(psql)).find((line) => line !== null) ?? null,
  }
}

function resolvedStory({ target, rule }: Finding): Story {
  const { resolved, status, violations, change } = rule
  const since = [...resolved.map((subject) => subject.since), ...(change === 'resolved' ? [rule.since] : [])]
    .filter((time) => time !== null)
    .sort()[0]
  const left = status === 'fail' || status === 'waived' ? (violations ?? 0) : 0
  // Of a mass, not all are named.
  const gone = change === 'resolved' ? (lastJudged(rule)?.violations ?? resolved.length) : resolved.length
  return {
    heading: `:white_check_mark: *Resolved* · ${mrkdwn(target.name, NAME)} · *${mrkdwn(rule.title, TITLE)}*`,
    lines: [
      [
        gone === 0 ? 'all violations are gone' : `${plural(gone, 'violation')} gone`,
        ...(left === 0 ? [] : [`${group(String(left))} still there`]),
        ...(since === undefined ? [] : [`open since ${since.slice(0, 10)}`]),
        mrkdwn(rule.id, NAME),
      ].join(' · '),
      ...subjectLines(resolved, gone),
    ],
    psql: null,
  }
}

function icon(rule: RuleReport, report: Report): string {
  if (rule.status === 'waived') return ':white_circle:'
  if (!reaches(rule.severity, report.fail_on)) return ':large_yellow_circle:'
  return standingOf(rule, report) === 'open' && news(rule) === 0 && growth(rule) === 0
    ? ':large_orange_circle:'
    : ':red_circle:'
}

function standingWords(rule: RuleReport, report: Report): string {
  const { since } = rule
  const days = since === null ? 0 : Math.floor((Date.parse(report.started_at) - Date.parse(since)) / DAY)
  const words = {
    new: 'New',
    reopened: 'Reopened',
    unknown: 'History unknown',
    open:
      since === null
        ? 'Open'
        : `Open since ${since.slice(0, 10)}${days < 1 ? '' : ` (${plural(days, 'day')})`}`,
  }[standingOf(rule, report)]
  return `${words}${rule.status === 'waived' ? ', waived' : isUncovered(rule) ? ', no longer waived' : ''}`
}

function severityWords({ severity }: RuleReport, { fail_on }: Report): string {
  return reaches(severity, fail_on) ? severity : `${severity}, below --fail-on ${fail_on}`
}

/** How much, and what of it is new. */
function aboutWords(rule: RuleReport, report: Report): string {
  const { sample, violations, waived, mass, id } = rule
  const changes = [...new Set(sample.map(({ change }) => change))]
  const mixed = report.history !== 'none' && violations === sample.length && changes.length > 1
  const parts = mixed
    ? [changes.map((kind) => `${sample.filter(({ change }) => change === kind).length} ${kind}`).join(', ')]
    : []
  return [
    mrkdwn(measureOf(rule), TITLE),
    ...parts,
    ...(waived ? [`${group(String(waived))} waived`] : []),
    ...(growth(rule) > 0 ? [`${group(String(growth(rule)))} more than in the last run`] : []),
    ...(mass ? ['too many to follow one by one'] : []),
    mrkdwn(id, NAME),
  ].join(' · ')
}

function lapsedLines({ lapsed }: RuleReport): string[] {
  return lapsed.map((waiver) => `Waiver lapsed: ${mrkdwn(waiver, 300)}`)
}

function doLine({ fix }: RuleReport): string {
  return `Do: ${mrkdwn(fix, FIX)}`
}

function changedFirst(sample: readonly ViolationReport[]): ViolationReport[] {
  const rank = ({ change, waived }: ViolationReport) => (waived ? 2 : change === 'open' ? 1 : 0)
  return sample.toSorted((a, b) => rank(a) - rank(b))
}

function subjectLines(
  subjects: readonly { readonly subject_type: string; readonly subject_id: string }[],
  count: number,
): string[] {
  const shown = subjects.slice(0, SUBJECTS)
  const more = count - shown.length
  return [
    ...shown.map(({ subject_type, subject_id }) => `• ${mrkdwn(subject_type, 40)} ${code(subject_id, 120)}`),
    ...(more > 0 ? [`and ${group(String(more))} more`] : []),
  ]
}
