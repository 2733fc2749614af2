import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { readCatalogue } from '../audits/catalogue.ts'
import { shown, UsageError } from '../audits/errors.ts'
import { type Bounds, boundsIn, waive } from '../audits/waive.ts'
import { outliveReader } from './closed-pipe.ts'

const AUDITS = join(import.meta.dirname, '../audits')

interface Options {
  readonly owner: string
  readonly reason: string
  readonly ticket: string
  readonly days: string
  readonly report?: string
  readonly maxRows?: string
  readonly maxImpact?: string
  readonly waivers: string
}

outliveReader()

const command = new Command('waive')
  .description('Appends a waiver of one violation to audits/waivers.yml, to be reviewed like code.')
  .argument('<fingerprint>', "the violation's fingerprint, 64 digits, from the JSON report")
  .requiredOption('--owner <who>', 'who answers for it')
  .requiredOption('--reason <text>', 'why it is so, for those who come later')
  .requiredOption('--ticket <id>', 'where it is followed')
  .option('--days <number>', 'it holds for so many days more, at most 90; its last day is written', '30')
  .option('--report <json>', 'take the bounds from this report: what the violation is now, and no more')
  .option('--max-rows <number>', 'without a report: it covers no more rows')
  .option('--max-impact <number>', "without a report: it covers no greater impact, in the rule's unit")
  .option('--waivers <file>', 'the file to append to', shown(join(AUDITS, 'waivers.yml')))
  .addHelpText(
    'after',
    '\nExit: 0 written, 2 could not be written, 3 wrong usage; then the file is as it was.',
  )
  .allowExcessArguments(false)
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'waive: ')) })

process.exitCode = await main().catch(explain)

async function main(): Promise<number> {
  await command.parseAsync()
  const [fingerprint = ''] = command.args
  const options = command.opts<Options>()
  const { invariants } = await readCatalogue(join(AUDITS, 'invariants'))
  const entry = await waive(
    options.waivers,
    { ...options, fingerprint, days: Number(options.days) },
    await boundsOf(options, fingerprint),
    invariants.map(({ id }) => id),
    new Date(),
  )
  console.log(`${shown(options.waivers)} has got\n\n${entry}`)
  return 0
}

async function boundsOf({ report, maxRows, maxImpact }: Options, fingerprint: string): Promise<Bounds> {
  if (report !== undefined && maxRows === undefined && maxImpact === undefined) {
    return boundsIn(report, fingerprint)
  }
  if (report === undefined && maxRows !== undefined && maxImpact !== undefined) {
    return { maxRows: Number(maxRows), maxImpact }
  }
  throw new UsageError('either --report out/audit.json, or --max-rows and --max-impact')
}

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 3
  if (error instanceof UsageError) {
    for (const problem of error.problems) console.error(`waive: ${problem}`)
    return 3
  }
  console.error(`waive: ${error instanceof Error ? error.message : String(error)}`)
  return 2
}
