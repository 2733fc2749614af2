import { Command, CommanderError } from 'commander'
import { UsageError } from '../audits/errors.ts'
import { BRANCH, pull, push } from '../audits/history-branch.ts'
import { outliveReader } from './closed-pipe.ts'

outliveReader()

const program = new Command('history')
  .description(
    `Keeps a history directory (npm run audit -- --history DIR) on the branch ${BRANCH} of origin.`,
  )
  .exitOverride()
  .addHelpText(
    'after',
    `
Environment:
  GITHUB_TOKEN  used for an origin on https, when it is set; else git's own credentials

Exit: 0 done, 2 could not be fetched or pushed, 3 wrong usage.`,
  )
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'history: ')) })

const branch = { repository: process.cwd(), env: process.env }

program
  .command('pull')
  .description('bring the records of the branch into the directory; no branch yet: no history')
  .argument('<directory>')
  .action(async (directory: string) => console.log(await pull(directory, branch)))

program
  .command('push')
  .description('add the records of the directory to the branch, beside those that others pushed meanwhile')
  .argument('<directory>')
  .action(async (directory: string) => console.log(await push(directory, branch)))

process.exitCode = await program.parseAsync().then(() => 0, explain)

function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 3
  if (error instanceof UsageError) {
    for (const problem of error.problems) console.error(`history: ${problem}`)
    return 3
  }
  console.error(`history: ${error instanceof Error ? error.message : String(error)}`)
  return 2
}
