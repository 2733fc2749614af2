import { realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { DEFAULTS } from '../../audits/audit.ts'
import { type Catalogue, readCatalogue, SEVERITIES, type Severity } from '../../audits/catalogue.ts'
import { UsageError } from '../../audits/errors.ts'
import { type Evidence, readEvidence } from '../../audits/evidence.ts'
import { duration } from '../../audits/freshness.ts'
import { parseHeartbeatUrl } from '../../audits/heartbeat.ts'
import { parseWebhookUrl } from '../../audits/reports/post.ts'
import { STAGES } from '../../audits/stage.ts'
import { parseTargets, type Target, words } from '../../audits/targets.ts'
import { readTargets } from '../../audits/targets-file.ts'
import { readWaivers, type Waivers } from '../../audits/waivers.ts'

/** The formats that are written to files. */
export const FORMATS = ['json', 'junit', 'markdown', 'html'] as const
export type Format = (typeof FORMATS)[number]

export interface Options extends Readonly<Partial<Record<Format, string>>> {
  readonly target?: readonly string[]
  readonly targets?: string
  readonly stage?: readonly string[]
  readonly only?: readonly string[]
  readonly invariants?: readonly string[]
  readonly evidence?: string
  readonly waivers?: string
  readonly history?: string
  readonly failOn: Severity
  readonly confirmAfter: number
  readonly maxStaleness: number
  readonly budget: number
  readonly full?: true
}

/** What a run needs, read and checked before any database is asked. */
export interface Setup {
  readonly targets: readonly Target[]
  readonly catalogue: Catalogue
  readonly evidence: Evidence | undefined
  readonly waivers: Waivers
  readonly webhook: string | undefined
  readonly files: readonly (readonly [format: Format, path: string])[]
  readonly options: Options
}

export const INVARIANTS = join(import.meta.dirname, '../../audits/invariants')
const WAIVERS = join(import.meta.dirname, '../../audits/waivers.yml')

type Env = Readonly<Record<string, string | undefined>>

const each = (value: string, before: readonly string[] = []) => [...before, value]

/** The options that the audit and its fire drill share. */
export function addOptions(command: Command): Command {
  const time = (name: string, what: string, standard: number) =>
    new Option(`--${name} <time>`, `${what}, such as 90s, 10m, 1h`)
      .argParser(milliseconds)
      .default(standard, duration(standard))
  return command
    .option(
      '--target <name=url>',
      'a database, best a replica: NAME=postgres://USER:PASSWORD@HOST:PORT/DATABASE; repeatable',
      each,
    )
    .option(
      '--targets <file>',
      'targets as YAML, with what each must be and leaves out; see audits/README.md',
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
    .option('--waivers <file>', 'waivers instead of audits/waivers.yml')
    .option('--history <directory>', 'what earlier runs found, and where this one leaves its record')
    .addOption(
      new Option(
        '--fail-on <severity>',
        'the least severity that makes the verdict; what is below is shown all the same',
      )
        .choices(SEVERITIES)
        .default('major'),
    )
    .addOption(
      time(
        'confirm-after',
        'when rules with `settle` look again at what they found',
        DEFAULTS.confirmAfterMs,
      ),
    )
    .addOption(time('max-staleness', 'how old what a standby shows may be', DEFAULTS.maxStalenessMs))
    .addOption(
      time(
        'budget',
        'how long the whole run may take; what has not begun by then is not run',
        DEFAULTS.budgetMs,
      ),
    )
    .option('--full', 'run every select, whatever the screens say')
    .option('--json <file>', 'write the report as JSON, see audits/reports/report.schema.json')
    .option('--junit <file>', "write the report as JUnit's XML")
    .option('--markdown <file>', 'write the report for the step summary of a workflow')
    .option('--html <file>', 'write the report as one page that needs nothing else')
}

export const ENVIRONMENT = `Environment, each taken for unset when empty:
  AUDIT_TARGETS      NAME=URL, any number, separated by blanks or line breaks; --target and --targets win
  AUDIT_STAGES       NAME=STAGE, likewise; --stage wins
  SLACK_WEBHOOK_URL  an incoming webhook: what changed, what could not be judged, and reminders of what is open
  HEARTBEAT_URL      a check that expects a ping of every run, as healthchecks.io has them
  NO_COLOR           no colours`

/**
 * Reads all that a run needs.
 *
 * @throws UsageError with one line for each problem
 */
export async function readSetup(options: Options, env: Env): Promise<Setup> {
  const webhook = parseWebhookUrl(env.SLACK_WEBHOOK_URL)
  parseHeartbeatUrl(env.HEARTBEAT_URL)
  const files = filesOf(options)
  const catalogue = await readCatalogue(...(options.invariants ?? [INVARIANTS]))
  const ids = catalogue.invariants.map(({ id }) => id)
  return {
    targets: await targetsOf(options, env, ids),
    catalogue,
    evidence: options.evidence === undefined ? undefined : await readEvidence(options.evidence),
    waivers: await readWaivers(options.waivers ?? WAIVERS, ids, new Date()),
    webhook,
    files,
    options,
  }
}

async function targetsOf(options: Options, env: Env, ids: readonly string[]): Promise<readonly Target[]> {
  if (options.targets === undefined) {
    return parseTargets(options.target ?? words(env.AUDIT_TARGETS), options.stage ?? words(env.AUDIT_STAGES))
  }
  if (options.target !== undefined || options.stage !== undefined) {
    throw new UsageError(
      '--targets names all targets and their stages: --target and --stage have no place beside it',
    )
  }
  return readTargets(options.targets, env, ids)
}

/** @throws UsageError when one report would overwrite another */
function filesOf(options: Options): Setup['files'] {
  const files = FORMATS.flatMap((format) => {
    const path = options[format]
    return path === undefined ? [] : [[format, path] as const]
  })
  const places = files.map(([, path]) => placeOf(resolve(path)))
  const twice = files.find((_, index) => places.indexOf(places[index] ?? '') !== index)
  if (twice !== undefined) throw new UsageError(`--${twice[0]} ${twice[1]}: another report goes to this file`)
  return files
}

/** Where a path leads, whatever links are on the way; the file itself may be still to come. */
function placeOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(placeOf(parent), basename(path))
  }
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 }

function milliseconds(text: string): number {
  const [, size, unit = ''] = /^(\d{1,5})([smh])$/.exec(text) ?? []
  if (size === undefined) throw new InvalidArgumentError('It is a whole number with s, m or h, such as 90s.')
  return Number(size) * (UNITS[unit] ?? 0)
}
