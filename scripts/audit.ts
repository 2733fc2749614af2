import { Command } from 'commander'
import { readCatalogue } from '../audits/catalogue.ts'
import { relationsOf } from '../audits/relations.ts'
import { roleSql } from '../audits/role.ts'
import { EXITS } from '../audits/verdict.ts'
import { runChain } from './audit/chain.ts'
import { runCommand } from './audit/command.ts'
import { addOptions, ENVIRONMENT, INVARIANTS, type Options, readSetup } from './audit/options.ts'

const command = addOptions(
  new Command('audit').description(
    'Judges token ledgers by the rules of audits/invariants, in read-only transactions. Nothing is written to a target.',
  ),
)
  .option('--print-role', 'print the statements that make the least role with which all rules can be judged')
  .addHelpText(
    'after',
    `
${ENVIRONMENT}

Exit codes:
${Object.entries(EXITS)
  .map(([code, means]) => `  ${code}  ${means}`)
  .join('\n')}`,
  )

await runCommand(command, async ({ signal, begin }) => {
  const options = command.opts<Options & { printRole?: true }>()
  if (options.printRole) {
    const { invariants } = await readCatalogue(...(options.invariants ?? [INVARIANTS]))
    console.log(roleSql([...(await relationsOf(invariants)).keys()]))
    return 0
  }
  const setup = await readSetup(options, process.env)
  await begin()
  return (await runChain(setup, signal)).exit
})
