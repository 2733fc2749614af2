import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { readBreaks, readCatalogue } from '../audits/catalogue.ts'
import { UsageError } from '../audits/errors.ts'
import { Databases } from '../fixtures/postgres/databases.ts'
import { UsageError as PostgresUsageError, startPostgres } from '../fixtures/postgres/server.ts'
import { applyBreak, healthyDatabases, type Kill } from '../scenarios/engine/kill-matrix.ts'
import { outliveReader } from './closed-pipe.ts'

const AUDITS = join(import.meta.dirname, '../audits')

outliveReader()

const command = new Command('invariants')
  .description(
    'Applies every break to a healthy database, and prints which invariants it turns red: no invariant without a break, no break that turns nothing red.',
  )
  .addHelpText(
    'after',
    '\nExit: 0 all as declared, 1 a break did something else, 2 could not run, 3 wrong usage.',
  )
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'invariants: ')) })

process.exitCode = await main().catch(explain)

async function main(): Promise<number> {
  await command.parseAsync()
  const catalogue = await readCatalogue(join(AUDITS, 'invariants'))
  const breaks = await readBreaks(join(AUDITS, 'breaks'), catalogue)
  const server = await startPostgres()
  console.log(server.says)
  const databases = new Databases(server.url)
  try {
    const healthy = await healthyDatabases(databases)
    const kills: Kill[] = []
    for (const fault of breaks) kills.push(...(await applyBreak(fault, { databases, healthy, catalogue })))

    for (const { id, severity, title } of catalogue.invariants) {
      console.log(`\n${id} (${severity}): ${title}`)
      const by = kills.filter(({ red }) => red.includes(id))
      for (const { break: fault, stage } of by) console.log(`  ✗ ${fault.id} (${stage}): ${fault.title}`)
      if (by.length === 0) console.log('  no break turns it red')
    }
    const complaints = kills.flatMap((kill) =>
      kill.complaints.map((one) => `${kill.break.id} (${kill.stage}): ${one}`),
    )
    const unproven = catalogue.invariants.filter(({ id }) => !kills.some(({ red }) => red.includes(id)))
    console.log(
      `\n${catalogue.invariants.length} invariants, ${breaks.length} breaks, ${kills.length} broken databases`,
    )
    for (const complaint of complaints) console.log(`NOT AS DECLARED  ${complaint}`)
    return complaints.length + unproven.length === 0 ? 0 : 1
  } finally {
    await databases.close()
    await server.stop()
  }
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 3
  console.error(`invariants: ${error instanceof Error ? error.message : String(error)}`)
  return error instanceof UsageError || error instanceof PostgresUsageError ? 3 : 2
}
