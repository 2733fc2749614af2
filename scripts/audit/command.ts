import { type Command, CommanderError } from 'commander'
import { UsageError } from '../../audits/errors.ts'
import { endBeat, parseHeartbeatUrl, startBeat } from '../../audits/heartbeat.ts'
import { deliver, parseWebhookUrl } from '../../audits/reports/post.ts'
import { failureMessage, runUrlOf } from '../../audits/reports/slack.ts'
import { SIGNALS } from '../interruption.ts'

/** What a command's work is given. */
export interface Context {
  /** Aborted by Ctrl-C, and by whoever ends the job. */
  readonly signal: AbortSignal
  /** The work begins: the check at HEARTBEAT_URL is told, and will be told how it ended. */
  begin(): Promise<void>
  /** Tells the check of an exit code before the end: for a drill. */
  end(exit: number): Promise<void>
}

class Interrupted extends Error {
  readonly exit: number

  constructor(signal: keyof typeof SIGNALS) {
    super(`interrupted (${signal}): nothing is said about any ledger, and no report was written`)
    this.exit = SIGNALS[signal]
  }
}

/**
 * Runs a command of the audit to its exit code. A run that comes to no verdict (bad configuration, a crash) is told to
 * Slack and to the check at HEARTBEAT_URL as well: whoever waits for a verdict must hear that there is none.
 */
export async function runCommand(
  command: Command,
  work: (context: Context) => Promise<number>,
): Promise<void> {
  const name = command.name()
  command
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, `${name}: `)) })
  // A reader that went away, as in `| head`, has not heard the verdict; the files and Slack still get it.
  let heard = true
  process.stdout.on('error', () => {
    heard = false
    process.exitCode = 4
  })
  const interruption = new AbortController()
  for (const signal of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) {
    process.once(signal, () => interruption.abort(new Interrupted(signal)))
  }
  let begun = false
  const begin = async () => {
    begun = true
    await ping((url) => startBeat(url))
  }
  const end = (code: number) => ping((url) => endBeat(url, code))
  const fail = async (error: unknown): Promise<number> => {
    const { exit, problems } = explain(name, error)
    if (problems.length > 0) {
      begun = true
      await tell(name, problems)
    }
    return exit
  }
  // Node would leave with 1, which says that there are violations, and nobody would be told.
  let crashed = false
  process.on('uncaughtException', async (error) => {
    if (crashed) return
    crashed = true
    const exit = await fail(error)
    await end(exit)
    process.exit(exit)
  })
  let exit: number
  try {
    await command.parseAsync()
    exit = await work({ signal: interruption.signal, begin, end })
    // The verdict was out already; somebody who waited for the rest has to know that it was left.
    if (interruption.signal.aborted) exit = (interruption.signal.reason as Interrupted).exit
  } catch (error) {
    exit = await fail(error)
  }
  if (!heard) exit = 4
  if (begun) await end(exit)
  process.exitCode = exit
}

/** One clear line for each problem, and the exit code; no problems: nothing that anybody has to hear. */
function explain(name: string, error: unknown): { exit: number; problems: readonly string[] } {
  if (error instanceof CommanderError) {
    return error.exitCode === 0
      ? { exit: 0, problems: [] }
      : { exit: 3, problems: [error.message.replace(/^error: /, '')] }
  }
  if (error instanceof Interrupted) {
    console.error(`${name}: ${error.message}`)
    return { exit: error.exit, problems: [] }
  }
  if (error instanceof UsageError) {
    for (const problem of error.problems) console.error(`${name}: ${problem}`)
    return { exit: 3, problems: error.problems }
  }
  const text = error instanceof Error ? error.message : String(error)
  console.error(`${name}: could not run: ${error instanceof Error ? (error.stack ?? text) : text}`)
  return { exit: 2, problems: [`could not run: ${text}`] }
}

async function tell(name: string, problems: readonly string[]): Promise<void> {
  const webhook = parsed(() => parseWebhookUrl(process.env.SLACK_WEBHOOK_URL))
  if (webhook === undefined) return
  const { message, plain } = failureMessage(name, problems, runUrlOf(process.env))
  const { problem } = await deliver(webhook, message, plain, { budgetMs: TELL_MS })
  if (problem !== undefined) console.error(`${name}: NOT DELIVERED  ${problem}`)
}

const TELL_MS = 60_000

/** A ping that fails is said, and changes nothing. */
async function ping(send: (url: string) => Promise<string | undefined>): Promise<void> {
  const url = parsed(() => parseHeartbeatUrl(process.env.HEARTBEAT_URL))
  const problem = url === undefined ? undefined : await send(url)
  if (problem !== undefined) console.error(`warning: ${problem}`)
}

/** What can't be parsed was said already. */
function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch {
    return undefined
  }
}
