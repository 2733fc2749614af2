import pc from 'picocolors'
import type { Fault } from '../../scenarios/engine/faults/fault.ts'
import { LEDGER_FAULTS } from '../../scenarios/engine/faults/ledger-faults.ts'
import { REPLICA_FAULTS } from '../../scenarios/engine/faults/replica-faults.ts'
import { RUN_FAULTS } from '../../scenarios/engine/faults/run-faults.ts'
import { World } from '../../scenarios/engine/faults/world.ts'

/**
 * Puts every fault into a primary and its standbys, and prints what the audit said of each.
 *
 * @returns 0 when each was told as it must be, else 1
 */
export async function faultsTable(signal: AbortSignal): Promise<0 | 1> {
  const world = await World.start()
  try {
    console.log(`${world.replicas.says}\n`)
    console.log(row('what is wrong', 'status', 'exit', 'as it must be'))
    const faults = [...LEDGER_FAULTS, ...RUN_FAULTS, ...REPLICA_FAULTS]
    let wrong = 0
    for (const fault of faults) {
      signal.throwIfAborted()
      const problem = await tryFault(fault, world)
      if (problem !== undefined) wrong += 1
    }
    console.log(
      wrong === 0
        ? `\n${faults.length} faults, each told as it must be (exit 0)`
        : `\n${wrong} of ${faults.length} faults not told as they must be (exit 1)`,
    )
    return wrong === 0 ? 0 : 1
  } finally {
    await world.stop()
  }
}

async function tryFault(fault: Fault, world: World): Promise<string | undefined> {
  const said = await fault.run(world)
  const as = said.status === fault.status && said.exit === fault.exit && fault.says.test(said.text)
  console.log(row(fault.name, said.status, String(said.exit), as ? pc.green('yes') : pc.red('NO')))
  if (as) return undefined
  const problem = `  it must be ${fault.status}, exit ${fault.exit}, and say ${fault.says}; it said: ${said.text}`
  console.log(pc.red(problem))
  return problem
}

function row(name: string, status: string, exit: string, as: string): string {
  return `${name.padEnd(82)}  ${status.padEnd(13)} ${exit.padEnd(5)} ${as}`
}
