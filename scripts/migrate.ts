import { readFile, writeFile } from 'node:fs/promises'
import { SingleBar } from 'cli-progress'
import { Command, CommanderError } from 'commander'
import { entitlements, readEvidence } from '../audits/evidence.ts'
import { adjust } from '../fixtures/migrations/adjust.ts'
import type { Report } from '../fixtures/migrations/backfill.ts'
import { eachDifference } from '../fixtures/migrations/differences.ts'
import { dryRun } from '../fixtures/migrations/dry-run.ts'
import { beat, installHeartbeat } from '../fixtures/migrations/heartbeat.ts'
import { dropRetired, retire } from '../fixtures/migrations/retire.ts'
import { CsvFile } from '../fixtures/migrations/reviewed.ts'
import { retirementInWords, statusInWords, verificationInWords } from '../fixtures/migrations/road-words.ts'
import { migrate, type Step } from '../fixtures/migrations/run.ts'
import { status } from '../fixtures/migrations/status.ts'
import { MigrationError, parseTarget, type Target } from '../fixtures/migrations/target.ts'
import { undo } from '../fixtures/migrations/undo.ts'
import { isVerified, verify } from '../fixtures/migrations/verify.ts'
import {
  adjustmentInWords,
  DifferencesTally,
  dryRunInWords,
  findingInWords,
  heartbeatInWords,
  migrationInWords,
  usersToCsv,
} from '../fixtures/migrations/words.ts'
import { UsageError } from '../fixtures/postgres/usage-error.ts'
import { outliveReader, say } from './closed-pipe.ts'

outliveReader()

const program = new Command('migrate')
  .description(
    'The road from two token ledgers to one: status, view, unify, differences, adjust, verify, retire; and the heartbeat of replicas.',
  )
  .exitOverride()
  .addHelpText(
    'after',
    '\nExit: 0 done, 1 verify found a difference, 2 could not run (the message says whether anything was written), 3 wrong usage.',
  )
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'migrate: ')) })

const DATABASE = ['--database <url>', 'postgres://USER:PASSWORD@HOST:PORT/DATABASE'] as const

program
  .command('status')
  .description(
    'where on the road this database is, what the next step would do, what stands in its way; writes nothing',
  )
  .requiredOption(...DATABASE)
  .action(async ({ database }: { database: string }) => {
    const found = await status(parseTarget(database))
    print(statusInWords(found))
    if (found.notCounted !== undefined) throw new MigrationError(found.notCounted)
  })

const STEPS: Record<Step, string> = {
  view: 'install public.token_ledger, one row per token movement; changes no data',
  unify: 'make public.token_usage the one ledger; view first where it is missing; balances stay as they are',
}
for (const [name, description] of Object.entries(STEPS)) {
  const step = name as Step
  program
    .command(step)
    .description(description)
    .requiredOption(...DATABASE)
    .option('--dry-run', 'print what would change, write nothing, and prove it')
    .option('--csv <file>', 'with --dry-run: write what would change, by user, to a new file')
    .option('--undo', 'take the step back')
    .action(async (options: { database: string; dryRun?: true; csv?: string; undo?: true }) => {
      const target = parseTarget(options.database)
      if (options.undo && options.dryRun) throw new UsageError('--undo and --dry-run do not go together')
      if (options.csv !== undefined && !options.dryRun) throw new UsageError('--csv needs --dry-run')
      if (options.undo) return takeBack(target, step)
      if (!options.dryRun)
        return print(migrationInWords(await migrate(target, step, { report: showProgress() })))
      const run = await dryRun(target, step)
      print(dryRunInWords(run))
      if (options.csv !== undefined) await write(options.csv, usersToCsv(run.users))
    })
}

program
  .command('verify')
  .description(
    'compare every legacy row with its counterpart in the ledger; exit 1 with the list where one differs',
  )
  .requiredOption(...DATABASE)
  .action(async ({ database }: { database: string }) => {
    const found = await verify(parseTarget(database))
    print(verificationInWords(found))
    if (!isVerified(found)) process.exitCode = 1
  })

program
  .command('retire')
  .description(
    'verify, then move token_transactions into the schema archive, read-only; exit 1 where verify refuses',
  )
  .requiredOption(...DATABASE)
  .option('--drop <rows>', 'drop the archived table for good; <rows> is how many it has, to confirm')
  .option('--undo', 'bring the table back')
  .action(async (options: { database: string; drop?: string; undo?: true }) => {
    const target = parseTarget(options.database)
    if (options.undo && options.drop !== undefined)
      throw new UsageError('--undo and --drop do not go together')
    if (options.undo) return takeBack(target, 'retire')
    if (options.drop !== undefined) {
      if (!/^\d{1,18}$/.test(options.drop))
        throw new UsageError('--drop takes the number of rows of archive.token_transactions')
      const rows = await dropRetired(target, BigInt(options.drop))
      return print([`archive.token_transactions and its ${rows} rows are gone`])
    }
    const done = await retire(target)
    if ('appliedAt' in done) return print(retirementInWords(done))
    print([...verificationInWords(done), 'token_transactions was not retired'])
    process.exitCode = 1
  })

async function takeBack(target: Target, step: Step | 'retire'): Promise<void> {
  print([(await undo(target, step)) ? `${step}: taken back` : `${step}: nothing to take back`])
}

program
  .command('differences')
  .description('list what does not add up after unify, and the lines that would mend it; writes nothing')
  .requiredOption('--database <url>', 'a replica will do')
  .option(
    '--evidence <file>',
    'settled facts, as the audit takes them: names missing grants and unearned ones',
  )
  .option('--csv <file>', 'write the lines to a new file, to be reviewed and given to adjust')
  .action(async (options: { database: string; evidence?: string; csv?: string }) => {
    const target = parseTarget(options.database)
    const evidence = options.evidence ? entitlements(await readEvidence(options.evidence)) : undefined
    const csv =
      options.csv === undefined ? undefined : await newFile(options.csv, CsvFile.create(options.csv))
    const tally = new DifferencesTally()
    try {
      const looked = await eachDifference(target, evidence, async (finding, { database: name }) => {
        tally.add(finding)
        await say(findingInWords(finding))
        if (csv !== undefined) await newFile(options.csv ?? '', csv.write(finding, name))
      })
      print(tally.inWords(looked))
      if (csv !== undefined) await newFile(options.csv ?? '', csv.end())
    } catch (error) {
      await csv?.abandon()
      throw error
    }
    if (options.csv === undefined) return
    print([
      '',
      `review ${options.csv}: strike out what should not be posted, then run adjust --file ${options.csv}`,
    ])
  })

program
  .command('adjust')
  .description('post exactly the lines of a reviewed file, in one transaction')
  .requiredOption('--database <url>', 'the database that the file was made from')
  .requiredOption('--file <csv>', 'what differences --csv wrote, reviewed')
  .action(async ({ database, file }: { database: string; file: string }) => {
    const target = parseTarget(database)
    const content = await readFile(file).catch((error: Error) => {
      throw new UsageError(`--file can't be read: ${error.message}`)
    })
    print(adjustmentInWords(await adjust(target, content)))
  })

program
  .command('heartbeat')
  .description(
    'install a row that the primary renews each minute: by it the audit knows how old a replica is',
  )
  .requiredOption('--database <url>', 'the primary')
  .action(async ({ database }: { database: string }) => {
    print(heartbeatInWords(await installHeartbeat(parseTarget(database))))
  })

program
  .command('beat')
  .description(
    'renew that row once, where there is no pg_cron: for an application or a workflow to run each minute',
  )
  .requiredOption('--database <url>', 'the primary')
  .action(async ({ database }: { database: string }) => {
    print([`heartbeat: beaten at ${(await beat(parseTarget(database))).toISOString()}`])
  })

/** A bar on stderr while rows are copied: rows, rows a second, time left. Nothing where nobody watches. */
function showProgress(): Report {
  const bar = new SingleBar({
    format: 'backfill {bar} {percentage}% {value}/{total} rows, {speed} rows/s, {eta_formatted} left',
    barsize: 30,
    clearOnComplete: true,
    hideCursor: true,
    noTTYOutput: false,
  })
  const started = Date.now()
  let running = false
  return ({ done, total }) => {
    const speed = Math.round(Number(done) / Math.max((Date.now() - started) / 1000, 0.001))
    if (!running) bar.start(Number(total), Number(done), { speed })
    running = done < total
    if (running) bar.update(Number(done), { speed })
    else bar.stop()
  }
}

function print(lines: readonly string[]): void {
  console.log(lines.join('\n'))
}

async function write(file: string, text: string): Promise<void> {
  await newFile(file, writeFile(file, text, { flag: 'wx' }))
}

/** A file that is there may have been reviewed already: it is never overwritten. */
function newFile<T>(file: string, making: Promise<T>): Promise<T> {
  return making.catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(
      error.code === 'EEXIST'
        ? `${file} is there already: name another file`
        : `--csv can't be written: ${error.message}`,
    )
  })
}

try {
  await program.parseAsync()
} catch (error) {
  // Commander has printed its own errors.
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 3
  else if (error instanceof MigrationError) fail(error, 2)
  // The audit's evidence reader has an error class of its own, of this name.
  else if (error instanceof Error && error.name === 'UsageError') fail(error, 3)
  else throw error
}

function fail({ message }: Error, code: number): void {
  console.error(`migrate: ${message}`)
  process.exitCode = code
}
