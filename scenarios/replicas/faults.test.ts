import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LEDGER_FAULTS } from '../engine/faults/ledger-faults.ts'
import { REPLICA_FAULTS } from '../engine/faults/replica-faults.ts'
import { RUN_FAULTS } from '../engine/faults/run-faults.ts'
import { World } from '../engine/faults/world.ts'

let world: World

beforeAll(async () => {
  world = await World.start()
  console.log(world.replicas.says)
})
afterAll(() => world?.stop())

// `npm run drill -- --faults` prints this table. Each is seen on real standbys, not on a primary that plays one.
describe('a fault', () => {
  test.for([...LEDGER_FAULTS, ...RUN_FAULTS, ...REPLICA_FAULTS].map((fault) => [fault.name, fault] as const))(
    '%s',
    async ([, fault]) => {
      const { status, exit, text } = await fault.run(world)
      expect({ status, exit }).toEqual({ status: fault.status, exit: fault.exit })
      expect(text).toMatch(fault.says)
    },
  )
})
