import type { HeaderBlock, KnownBlock, SectionBlock } from '@slack/types'
import { reaches } from '../verdict.ts'
import type { Report } from './report.ts'
import { verdictLine, verdictWords } from './verdict-line.ts'
import {
  type Finding,
  group,
  measureOf,
  printable,
  SUBJECTS,
  type Unjudged,
  unjudged,
  violated,
} from './words.ts'

/** What an incoming webhook takes. */
export interface SlackMessage {
  /** What a notification shows. */
  readonly text: string
  readonly blocks: KnownBlock[]
}

/** Slack refuses a message beyond 50 blocks, 3,000 characters a section, 150 a header: the budget stays below. */
const BLOCKS = 45
const SECTION = 2_800
const HEADER = 150
const TEXT = 1_000
/** Of long texts and of lists in an entry, so that no entry leaves out its end. */
const PART = 600

/**
 * The message for a run: could not judge first, then violations, the most severe and the largest first. It holds
 * opaque ids, numbers and texts of the catalogue, nothing else.
 *
 * @param runUrl where the whole report is
 * @returns undefined when all is well: nothing is to be posted
 */
export function slackMessage(report: Report, runUrl?: string): SlackMessage | undefined {
  if (report.exit === 0) return undefined
  const entries = [
    ...unjudged(report.targets).map(unjudgedText),
    ...violated(report.targets).map((finding) => findingText(finding, report)),
  ]
  const head = [header(`Token audit: ${verdictWords(report)}`), section(mrkdwn(verdictLine(report), SECTION))]
  const link = runUrl === undefined ? [] : [section(`<${runUrl}|The run and its report>`)]
  const room = BLOCKS - head.length - link.length
  // One place is kept for what does not fit.
  const fitting = entries.length > room ? entries.slice(0, room - 1) : entries
  const left = entries.length - fitting.length
  return {
    text: mrkdwn(`Token audit: ${verdictLine(report)}`, TEXT),
    blocks: [
      ...head,
      ...fitting.map(section),
      ...(left === 0 ? [] : [section(`and ${group(String(left))} more, in the report`)]),
      ...link,
    ],
  }
}

/** The page of the workflow's run, by the variables that GitHub sets. */
export function runUrlOf(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run } = env
  return server && repository && run ? `${server}/${repository}/actions/runs/${run}` : undefined
}

function unjudgedText({ target, rules, problem }: Unjudged): string {
  const what = rules.length === 0 ? 'the whole target' : rules.map(({ id }) => id).join(', ')
  return [
    `:warning: *could not judge* ${mrkdwn(target.name, 80)}: ${mrkdwn(what, PART)}`,
    mrkdwn(problem, PART),
  ].join('\n')
}

function findingText({ target, rule }: Finding, { fail_on }: Report): string {
  const gates = reaches(rule.severity, fail_on)
  const subjects = rule.sample
    .slice(0, SUBJECTS)
    .map(({ subject_type, subject_id }) => `${mrkdwn(subject_type, 40)} \`${id(subject_id)}\``)
  const more = (rule.violations ?? 0) - subjects.length
  return [
    `:red_circle: *${rule.severity}*${gates ? '' : ' (does not make the verdict)'} on ${mrkdwn(target.name, 80)}: *${mrkdwn(rule.title, 200)}*`,
    mrkdwn(`${measureOf(rule)} · ${rule.id}`, 300),
    `Fix: ${mrkdwn(rule.fix, PART)}`,
    ...subjects,
    ...(more > 0 ? [`and ${group(String(more))} more`] : []),
  ].join('\n')
}

function header(text: string): HeaderBlock {
  return { type: 'header', text: { type: 'plain_text', text: cut(text, HEADER) } }
}

function section(text: string): SectionBlock {
  return { type: 'section', text: { type: 'mrkdwn', text: cut(text, SECTION) } }
}

function id(text: string): string {
  return mrkdwn(text.replaceAll('`', "'"), 120)
}

/** A text in which Slack finds no mention and no link, of at most `most` characters. */
function mrkdwn(text: string, most: number): string {
  const escaped = printable(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  return cut(escaped, most)
}

/** Cuts neither through a character nor through an entity. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text
  return `${text
    .slice(0, most - 1)
    .replace(/[\ud800-\udbff]$/, '')
    .replace(/&[a-z]{0,3}$/, '')}…`
}
