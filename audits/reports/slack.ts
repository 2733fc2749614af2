import type { HeaderBlock, KnownBlock, SectionBlock } from '@slack/types'
import type { Report } from './report.ts'
import { type Changes, changesOf, isChanged } from './slack-changes.ts'
import { changesLine, type Story, storiesOf, unchangedLine } from './slack-stories.ts'
import { link, mrkdwn } from './slack-text.ts'
import { verdictLine, verdictWords } from './verdict-line.ts'
import { group } from './words.ts'

/** What an incoming webhook takes. */
export interface SlackMessage {
  /** What a notification shows. */
  readonly text: string
  readonly blocks: KnownBlock[]
}

/** https://docs.slack.dev/reference/block-kit/blocks: 50 blocks, 3,000 characters a section. */
const BLOCKS = 50
const SECTION = 3_000

/**
 * What all blocks may weigh together. Slack does not document it; messages were refused as msg_blocks_too_long from
 * 13,172 characters on, and a divider weighed 125 (https://github.com/slackapi/bolt-js/issues/2509, #2867).
 */
const WEIGHT = 12_000
const WEIGHT_OF_ANY_BLOCK = 125
/** The part of it that stories told as a whole may take when not all fit. */
const WHOLE = 0.6

/** https://docs.slack.dev/reference/methods/chat.postMessage: a text should have at most 4,000 characters. */
const TEXT = 4_000
const LEAD = 1_200

const DRILL =
  'FIRE DRILL: the alarm is being tried. The violation that is called a fire drill is made up, all else is real.'

/**
 * The message for a run: what could not be judged, what is new, what is still open and due to be told again, what is
 * resolved. What does not fit is counted.
 *
 * @param runUrl where the whole report is
 * @returns undefined when nothing has changed: nothing is to be posted
 */
export function slackMessage(report: Report, runUrl?: string): SlackMessage | undefined {
  const changes = changesOf(report)
  if (!isChanged(changes) && !report.drill) return undefined
  const stories = storiesOf(changes, report)
  const head = [header(title(report)), section(lead(changes, report).join('\n'))]
  const end = (left: number) => tail(changes, left, runUrl)
  const room = WEIGHT - weightOf([...head, ...end(stories.length)])
  const sections = fitting(stories, BLOCKS - head.length - 1, room)
  return {
    text: mrkdwn(`${name(report)}: ${verdictLine(report)}`, LEAD),
    blocks: [...head, ...sections, ...end(stories.length - sections.length)],
  }
}

/** The same as one text without blocks, for when Slack refuses them: two lines of each story, as far as they fit. */
export function plainMessage(report: Report, runUrl?: string): string {
  const changes = changesOf(report)
  const head = [title(report), ...lead(changes, report)].join('\n')
  return plainText(head, storiesOf(changes, report).map(briefText), (left) =>
    tailLines(changes, left, runUrl),
  )
}

/**
 * The message for a run that came to no verdict: the configuration is bad, or something broke.
 *
 * @param command what was started
 * @param problems one line each, without secrets
 */
export function failureMessage(
  command: string,
  problems: readonly string[],
  runUrl?: string,
): { message: SlackMessage; plain: string } {
  const what = 'Token audit: NO VERDICT'
  const said = `\`npm run ${mrkdwn(command, 80)}\` judged nothing, so nobody knows how the ledgers are.`
  const lines = problems.map((problem) => mrkdwn(problem, 600))
  const end = (left: number) =>
    [runLink(runUrl), left === 0 ? undefined : `and ${group(String(left))} more, in the log`].filter(
      (line) => line !== undefined,
    )
  const text = plainText(said, lines, end, SECTION)
  return {
    message: { text: `${what}. ${lines[0] ?? ''}`, blocks: [header(what), section(text)] },
    plain: plainText(`${what}\n${said}`, lines, end),
  }
}

/** The page of the workflow's run, by the variables that GitHub sets. */
export function runUrlOf(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run } = env
  return server && repository && run ? `${server}/${repository}/actions/runs/${run}` : undefined
}

/** As many parts as fit, from the first on, and an end that knows how many are left. */
function plainText(
  head: string,
  parts: readonly string[],
  end: (left: number) => readonly string[],
  most = TEXT,
): string {
  const room = most - end(parts.length).join('\n').length - 2
  let text = head
  let told = 0
  for (const part of parts) {
    const longer = `${text}\n\n${part}`
    if (longer.length > room) break
    text = longer
    told += 1
  }
  return `${text}\n\n${end(parts.length - told).join('\n')}`.trimEnd()
}

function name({ drill }: Report): string {
  return drill ? 'FIRE DRILL · Token audit' : 'Token audit'
}

function title(report: Report): string {
  return `${name(report)}: ${verdictWords(report)}`
}

function lead(changes: Changes, report: Report): string[] {
  const counts = changesLine(changes, report)
  return [
    ...(report.drill ? [`*${DRILL}*`] : []),
    mrkdwn(verdictLine(report), LEAD),
    ...(counts === '' ? [] : [counts]),
    ...(report.history === 'none' && changes.told.length > 0
      ? ['History unknown: there is no run to compare with, so nobody can say what is new.']
      : []),
    ...(report.history === 'untold'
      ? ['What the last run found did not reach anybody: it is told again here.']
      : []),
  ]
}

/** Heading first; a line that does not fit ends the story, and the line for psql is whole or not there. */
function storyText({ heading, lines, psql }: Story): string {
  const room = SECTION - MORE.length - 1
  let text = heading
  for (const line of lines) {
    const longer = `${text}\n${line}`
    if (longer.length > room) return `${text}\n${MORE}`
    text = longer
  }
  if (psql === null || text.length + 1 + psql.length > SECTION) return text
  return `${text}\n${psql}`
}

const MORE = '… the rest is in the report'

function briefText({ heading, lines: [first] }: Story): string {
  return `${heading}\n${first}`
}

/**
 * The first stories that fit, and none after one that does not. When there is no room for all of them, a part of it
 * is kept for stories of two lines, so that a bad day is not three stories and a number.
 */
function fitting(stories: readonly Story[], most: number, room: number): SectionBlock[] {
  const whole = stories.map((story) => section(storyText(story)))
  if (whole.length <= most && weightOf(whole) <= room) return whole
  let told: SectionBlock[] = []
  for (const story of stories) {
    const full = [...told, section(storyText(story))]
    const longer = weightOf(full) <= room * WHOLE ? full : [...told, section(briefText(story))]
    if (longer.length > most || weightOf(longer) > room) break
    told = longer
  }
  return told
}

/** As Slack seems to count: all of the JSON, what is not ASCII escaped. */
function weightOf(blocks: readonly KnownBlock[]): number {
  return blocks
    .map((block) => JSON.stringify(block).replace(/[^ -~]/g, '\\u0000').length + WEIGHT_OF_ANY_BLOCK)
    .reduce((sum, weight) => sum + weight, 0)
}

function tail(changes: Changes, left: number, runUrl: string | undefined): SectionBlock[] {
  const lines = tailLines(changes, left, runUrl)
  return lines.length === 0 ? [] : [section(lines.join('\n'))]
}

function tailLines(changes: Changes, left: number, runUrl: string | undefined): string[] {
  return [unchangedLine(changes), runLink(runUrl), moreLine(left)].filter((line) => line !== undefined)
}

function runLink(runUrl: string | undefined): string | undefined {
  return runUrl === undefined ? undefined : link(runUrl, 'The run and its report')
}

function moreLine(left: number): string | undefined {
  return left === 0 ? undefined : `and ${group(String(left))} more, in the report`
}

function header(text: string): HeaderBlock {
  return { type: 'header', text: { type: 'plain_text', text } }
}

function section(text: string): SectionBlock {
  return { type: 'section', text: { type: 'mrkdwn', text } }
}
