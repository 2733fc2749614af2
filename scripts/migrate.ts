import { readFile, writeFile } from 'node:fs/promises'
import { Command, CommanderError } from 'commander'
import { entitlements, readEvidence } from '../audits/evidence.ts'
import { adjust } from '../fixtures/migrations/adjust.ts'
import { differences } from '../fixtures/migrations/differences.ts'
import { beat, installHeartbeat } from '../fixtures/migrations/heartbeat.ts'
import { toCsv } from '../fixtures/migrations/reviewed.ts'
import { migrate, type Step } from '../fixtures/migrations/run.ts'
import { MigrationError, parseTarget } from '../fixtures/migrations/target.ts'
import {
  adjustmentInWords,
  differencesInWords,
  heartbeatInWords,
  migrationInWords,
} from '../fixtures/migrations/words.ts'
import { UsageError } from '../fixtures/postgres/usage-error.ts'
import { outliveReader } from './closed-pipe.ts'

outliveReader()

const program = new Command('migrate')
  .description(
    'The road from two token ledgers to one: view, unify, differences, adjust; and the heartbeat of replicas.',
  )
  .exitOverride()
  .addHelpText('after', '\nExit: 0 done, 2 could not run (nothing was written), 3 wrong usage.')
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'migrate: ')) })

const STEPS: Record<Step, string> = {
  view: 'install public.token_ledger, one row per token movement; changes no data',
  unify: 'make public.token_usage the one ledger; view first where it is missing; balances stay as they are',
}
for (const [step, description] of Object.entries(STEPS)) {
  program
    .command(step)
    .description(description)
    .requiredOption('--database <url>', 'postgres://USER:PASSWORD@HOST:PORT/DATABASE')
    .option('--dry-run', 'print what would change, write nothing, and prove it')
    .action(async ({ database, dryRun }: { database: string; dryRun?: true }) => {
      print(migrationInWords(await migrate(parseTarget(database), step as Step, { dryRun: dryRun ?? false })))
    })
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
    const found = await differences(target, evidence)
    print(differencesInWords(found))
    if (options.csv === undefined) return
    await write(options.csv, toCsv(found))
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

function print(lines: readonly string[]): void {
  console.log(lines.join('\n'))
}

/** A file that is there may have been reviewed already: it is never overwritten. */
async function write(file: string, text: string): Promise<void> {
  await writeFile(file, text, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
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
