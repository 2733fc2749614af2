import { Client } from 'pg'
import { expect } from 'vitest'
import { prepareMutant, readMutants } from '../../fixtures/app/mutants.ts'
import { test } from '../support/test.ts'

// One that the database does not take is a defect that nobody could install.
test('every mutant of the ledger’s functions can be installed on a unified database', async ({
  database,
}) => {
  const { url } = await database('unified')
  const client = new Client({ connectionString: url })
  await client.connect()
  const refused: string[] = []
  for (const mutant of await readMutants()) {
    if (mutant.kind !== 'sql') continue
    const { sql = '', remove } = await prepareMutant(mutant)
    await remove()
    await client.query('begin')
    await client.query(sql).catch((error: Error) => refused.push(`${mutant.name}: ${error.message}`))
    await client.query('rollback')
  }
  await client.end()
  expect(refused).toEqual([])
})
