import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { UsageError } from '../audits/errors.ts'
import { runChain } from './audit/chain.ts'
import { runCommand } from './audit/command.ts'
import { addOptions, ENVIRONMENT, type Options, readSetup } from './audit/options.ts'
import { faultsTable } from './drill/faults.ts'

const command = addOptions(
  new Command('drill').description(
    'Sees that the alarm rings: a real audit with one violation that is made up and says so, told to Slack, then its resolution.',
  ),
)
  .option(
    '--faults',
    'break a primary and its standbys of its own in every way that the audit must tell apart, and print what it said',
  )
  .addHelpText(
    'after',
    `
${ENVIRONMENT}

SLACK_WEBHOOK_URL is needed: a drill that nobody hears is none. Without --history a directory of the drill's own is used.
The check at HEARTBEAT_URL is told of a failure (exit status 1), and then of success: its alarm should ring as well.

Exit codes:
  0  the alarm and its resolution were delivered (whatever the audit says of the ledger: it is printed); with --faults:
     each fault was told as it must be
  1  with --faults: not each was
  2  could not run
  3  bad usage or configuration; nothing was run
  4  the alarm, or its resolution, was not delivered`,
  )

await runCommand(command, async ({ signal, begin, end }) => {
  const options = command.opts<Options & { faults?: true }>()
  if (options.faults) return faultsTable(signal)
  const setup = await readSetup(options, process.env)
  if (setup.webhook === undefined) {
    throw new UsageError('SLACK_WEBHOOK_URL is not set: a drill that nobody hears is none')
  }
  const own = options.history === undefined ? await mkdtemp(join(tmpdir(), 'token-audit-drill-')) : undefined
  const history = options.history ?? own
  const withHistory = { ...setup, options: { ...options, ...(history !== undefined && { history }) } }
  try {
    await begin()
    const alarm = await runChain(withHistory, signal, 'raised')
    await end(1)
    const resolution = await runChain(withHistory, signal, 'resolved')
    if (!alarm.told || !resolution.told || alarm.exit === 4 || resolution.exit === 4) {
      console.log('FIRE DRILL: the alarm, or its resolution, was not delivered (exit 4)')
      return 4
    }
    console.log(
      'FIRE DRILL: the alarm and its resolution were delivered: look for both in the channel (exit 0)',
    )
    return 0
  } finally {
    if (own !== undefined) await rm(own, { recursive: true })
  }
})
