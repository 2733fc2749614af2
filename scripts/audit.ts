import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Command, CommanderError, Option } from 'commander'
import pc from 'picocolors'
import { audit } from '../audits/audit.ts'
import { readCatalogue, SEVERITIES, type Severity } from '../audits/catalogue.ts'
import { UsageError } from '../audits/errors.ts'
import { readEvidence } from '../audits/evidence.ts'
import { renderJson } from '../audits/reports/json.ts'
import { renderJunit } from '../audits/reports/junit.ts'
import { renderMarkdown } from '../audits/reports/markdown.ts'
import { parseWebhookUrl, postToSlack } from '../audits/reports/post.ts'
import type { Report } from '../audits/reports/report.ts'
import { runUrlOf, slackMessage } from '../audits/reports/slack.ts'
import { renderTerminal } from '../audits/reports/terminal.ts'
import { STAGES } from '../audits/stage.ts'
import { parseTargets, words } from '../audits/targets.ts'
import { EXITS } from '../audits/verdict.ts'

interface Options {
  readonly target?: readonly string[]
  readonly stage?: readonly string[]
  readonly only?: readonly string[]
  readonly invariants?: readonly string[]
  readonly evidence?: string
  readonly failOn: Severity
  readonly json?: string
  readonly junit?: string
  readonly markdown?: string
}

const INVARIANTS = join(import.meta.dirname, '../audits/invariants')

const RENDERERS = { json: renderJson, junit: renderJunit, markdown: renderMarkdown }

const each = (value: string, before: readonly string[] = []) => [...before, value]

const command = new Command('audit')
  .description(
    'Judges token ledgers by the rules of audits/invariants, in read-only transactions. Nothing is written to a target.',
  )
  .option(
    '--target <name=url>',
    'a database, best a replica: NAME=postgres://USER:PASSWORD@HOST:PORT/DATABASE; repeatable',
    each,
  )
  .option(
    '--stage <name=stage>',
    `the stage that a target must be at (${STAGES.join(', ')}); repeatable`,
    each,
  )
  .option(
    '--evidence <file>',
    'settled facts from Stripe and from admins; without it the money side is not judged',
  )
  .option('--only <id>', 'judge by this rule alone; repeatable', each)
  .option('--invariants <directory>', 'rules instead of audits/invariants; repeatable', each)
  .addOption(
    new Option(
      '--fail-on <severity>',
      'the least severity that makes the verdict; what is below is shown all the same',
    )
      .choices(SEVERITIES)
      .default('major'),
  )
  .option('--json <file>', 'write the report as JSON, see audits/reports/report.schema.json')
  .option('--junit <file>', "write the report as JUnit's XML")
  .option('--markdown <file>', 'write the report for the step summary of a workflow')
  .addHelpText(
    'after',
    `
Environment, each taken for unset when empty:
  AUDIT_TARGETS      NAME=URL, any number, separated by blanks or line breaks; --target wins
  AUDIT_STAGES       NAME=STAGE, likewise; --stage wins
  SLACK_WEBHOOK_URL  an incoming webhook: violations, and what could not be judged; nothing when all is well
  NO_COLOR           no colours

Exit codes:
${Object.entries(EXITS)
  .map(([code, means]) => `  ${code}  ${means}`)
  .join('\n')}`,
  )
  .allowExcessArguments(false)
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'audit: ')) })

// Node would leave with 1, which says that there are violations.
process.on('uncaughtException', (error) => {
  process.exit(explain(error))
})
// A reader that went away, as in `| head`, has not heard the verdict; the files and Slack still get it.
let heard = true
process.stdout.on('error', () => {
  heard = false
  process.exitCode = 4
})
const exit = await main().catch(explain)
process.exitCode = heard ? exit : 4

async function main(): Promise<number> {
  await command.parseAsync()
  const options = command.opts<Options>()
  const { env } = process
  const targets = parseTargets(
    options.target ?? words(env.AUDIT_TARGETS),
    options.stage ?? words(env.AUDIT_STAGES),
  )
  const webhook = parseWebhookUrl(env.SLACK_WEBHOOK_URL)
  const files = filesOf(options)
  const catalogue = await readCatalogue(...(options.invariants ?? [INVARIANTS]))
  const evidence = options.evidence === undefined ? undefined : await readEvidence(options.evidence)

  const report = await audit({
    targets,
    catalogue,
    evidence,
    only: options.only ?? [],
    failOn: options.failOn,
  })
  // Printed before it is delivered: whatever happens on the way, here it was said.
  console.log(renderTerminal(report, { color: pc.isColorSupported && process.stdout.isTTY === true }))
  const undelivered = [...(await write(files, report)), ...(await post(webhook, report))]
  for (const problem of undelivered) console.log(`NOT DELIVERED  ${problem} (exit 4)`)
  return undelivered.length > 0 ? 4 : report.exit
}

type File = readonly [format: keyof typeof RENDERERS, path: string]

/** @throws UsageError when one report would overwrite another */
function filesOf(options: Options): File[] {
  const files = (['json', 'junit', 'markdown'] as const).flatMap((format): File[] =>
    options[format] === undefined ? [] : [[format, options[format]]],
  )
  const places = files.map(([, path]) => resolve(path))
  const twice = files.find(([, path], index) => places.indexOf(resolve(path)) !== index)
  if (twice !== undefined) throw new UsageError(`--${twice[0]} ${twice[1]}: another report goes to this file`)
  return files
}

async function write(files: readonly File[], report: Report): Promise<string[]> {
  const problems: string[] = []
  for (const [format, path] of files) {
    try {
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, RENDERERS[format](report))
    } catch (error) {
      problems.push(`--${format} ${path} can't be written: ${messageOf(error)}`)
    }
  }
  return problems
}

async function post(webhook: string | undefined, report: Report): Promise<string[]> {
  const message = webhook === undefined ? undefined : slackMessage(report, runUrlOf(process.env))
  if (webhook === undefined || message === undefined) return []
  return [await postToSlack(webhook, message)].flatMap((problem) => problem ?? [])
}

/** One clear line for each problem, and the exit code. */
function explain(error: unknown): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? 0 : 3
  }
  if (error instanceof UsageError) {
    for (const problem of error.problems) console.error(`audit: ${problem}`)
    return 3
  }
  console.error(
    `audit: could not run: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  )
  return 2
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
