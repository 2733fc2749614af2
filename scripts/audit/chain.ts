import { mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import pc from 'picocolors'
import { audit } from '../../audits/audit.ts'
import { type History, openHistory } from '../../audits/history.ts'
import { renderAnnotations } from '../../audits/reports/annotations.ts'
import { renderHtml } from '../../audits/reports/html.ts'
import { renderJson } from '../../audits/reports/json.ts'
import { renderJunit } from '../../audits/reports/junit.ts'
import { renderMarkdown } from '../../audits/reports/markdown.ts'
import { deliver } from '../../audits/reports/post.ts'
import { progressWriter } from '../../audits/reports/progress.ts'
import type { Report } from '../../audits/reports/report.ts'
import { plainMessage, runUrlOf, slackMessage } from '../../audits/reports/slack.ts'
import { renderTerminal } from '../../audits/reports/terminal.ts'
import { unusedWaivers } from '../../audits/waivers.ts'
import { isFileOrNothing, writeWhole } from '../../audits/write-whole.ts'
import type { Format, Setup } from './options.ts'

const RENDERERS: Readonly<Record<Format, (report: Report) => string>> = {
  json: renderJson,
  junit: renderJunit,
  markdown: renderMarkdown,
  html: renderHtml,
}

/** What a run of the whole chain came to. */
export interface Ran {
  readonly exit: number
  readonly report: Report
  /** Slack was given a message, and took it. */
  readonly told: boolean
}

/**
 * Judges, prints, writes the files, tells Slack, leaves the record in the history. Whatever fails on the way comes
 * after the verdict was printed.
 *
 * @throws UsageError for a history that can't be used; the signal's reason when it is aborted
 */
export async function runChain(
  setup: Setup,
  signal: AbortSignal,
  drill?: 'raised' | 'resolved',
): Promise<Ran> {
  const { options } = setup
  const began = Date.now()
  await clear(setup.files)
  const history =
    options.history === undefined
      ? undefined
      : await openHistory(options.history, {
          now: new Date(),
          waitMs: options.budget,
          targets: setup.targets.map(({ name }) => name),
          signal,
        })
  try {
    for (const warning of history?.warnings ?? []) console.log(`warning: ${warning}`)
    const budgetMs = options.budget - (Date.now() - began)
    return await chain({ ...setup, options: { ...options, budget: budgetMs } }, history, signal, drill)
  } finally {
    await history?.close()
  }
}

async function chain(
  setup: Setup,
  history: History | undefined,
  signal: AbortSignal,
  drill: 'raised' | 'resolved' | undefined,
): Promise<Ran> {
  const { targets, catalogue, evidence, waivers, options } = setup
  const progress = progressWriter(process.stderr)
  const report = await audit({
    targets,
    catalogue,
    evidence,
    only: options.only ?? [],
    failOn: options.failOn,
    confirmAfterMs: options.confirmAfter,
    maxStalenessMs: options.maxStaleness,
    budgetMs: options.budget,
    full: options.full ?? false,
    history,
    waivers,
    drill,
    onProgress: (state) => progress.show(state),
    signal,
  }).finally(() => progress.clear())
  if (process.env.GITHUB_ACTIONS === 'true') process.stdout.write(renderAnnotations(report))
  // Printed before it is delivered: whatever happens on the way, here it was said.
  console.log(renderTerminal(report, { color: pc.isColorSupported && process.stdout.isTTY === true }))

  const lost = await write(setup.files, report)
  const { told, problems } = await tell(setup, report, signal)
  lost.push(...problems)
  const unused = unusedWaivers(report, history, waivers)
  if (history !== undefined) {
    await history.append(report, told, waivers).catch((error: unknown) => lost.push(messageOf(error)))
  }
  for (const problem of unused) console.log(`WAIVER  ${problem} (exit 3)`)
  for (const problem of lost) console.log(`NOT DELIVERED  ${problem} (exit 4)`)
  return { exit: lost.length > 0 ? 4 : unused.length > 0 ? 3 : report.exit, report, told: told === true }
}

/** What an earlier run has left would pass for this one's, should it not come so far. */
async function clear(files: Setup['files']): Promise<void> {
  for (const [, path] of files) {
    // What can't be taken away can't be written either, and that is said after the verdict.
    if (await isFileOrNothing(path).catch(() => false)) await rm(path, { force: true }).catch(() => {})
  }
}

async function write(files: Setup['files'], report: Report): Promise<string[]> {
  const problems: string[] = []
  for (const [format, path] of files) {
    try {
      await mkdir(dirname(path), { recursive: true })
      await writeWhole(path, RENDERERS[format](report))
    } catch (error) {
      problems.push(`--${format} ${path} can't be written: ${messageOf(error)}`)
    }
  }
  return problems
}

/** An audit that used its budget up has the more to tell. */
const LEAST_FOR_SLACK_MS = 60_000

/** `told` is null where there is nobody to tell. */
async function tell(
  { webhook, options }: Setup,
  report: Report,
  signal: AbortSignal,
): Promise<{ told: boolean | null; problems: readonly string[] }> {
  if (webhook === undefined) return { told: null, problems: [] }
  const runUrl = runUrlOf(process.env)
  const message = slackMessage(report, runUrl)
  if (message === undefined) return { told: null, problems: [] }
  const budgetMs = Math.max(options.budget - (Date.now() - Date.parse(report.started_at)), LEAST_FOR_SLACK_MS)
  const { problem, plain } = await deliver(webhook, message, plainMessage(report, runUrl), {
    budgetMs,
    signal,
  })
  if (plain) console.log('warning: Slack refused the message with its blocks: the text was sent without them')
  return { told: problem === undefined, problems: problem === undefined ? [] : [problem] }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
