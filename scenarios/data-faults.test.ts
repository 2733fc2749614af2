import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { withDatabase } from '../fixtures/postgres/connection.ts'
import type { Databases } from '../fixtures/postgres/databases.ts'
import { dataFaults } from './engine/data-faults/faults.ts'
import { complaintsAbout, matrixOf } from './engine/data-faults/matrix.ts'
import { renderMatrix, renderSums } from './engine/data-faults/render.ts'
import { type TryOptions, tryFaults } from './engine/data-faults/try-faults.ts'
import { type World, worldOf } from './engine/data-faults/worlds.ts'
import { allRules } from './engine/outcome.ts'
import { storiesNamed } from './engine/stories.ts'
import { runScript } from './support/run-script.ts'
import { test } from './support/test.ts'

const catalogue = await allRules()
const [pack, rollover] = storiesNamed(['pack-paid', 'cycle-rollover']).map(worldOf) as [World, World]
const partly = { everywhere: false }

describe('the faults', () => {
  // A fault that can't be made again can't be looked into.
  test('of a ledger that is made again are the same, by name', async ({ database }) => {
    expect(await namesOf(pack, (await database(pack.revision)).url)).toEqual(
      await namesOf(pack, (await database(pack.revision)).url),
    )
  })

  // A list by hand misses the column that the next migration adds, and nobody asks who judges it.
  test('follow from the columns: one that a migration adds is at fault too, and nobody sees that', async ({
    databases,
  }) => {
    const grown: World = {
      ...pack,
      fill: async (url) => {
        await withDatabase(url, (client) =>
          client.query('alter table public.token_usage add column bonus_tokens int default 7'),
        )
        return pack.fill(url)
      },
    }
    const tried = await tryIn(grown, databases, { only: ({ column }) => column.endsWith('.bonus_tokens') })
    expect(tried.map(({ fault }) => fault.name)).toEqual(
      ['null', 'one more', 'one less', 'negated', 'zero'].map(
        (kind) => `token_usage.bonus_tokens ${kind} (token_pack_purchase, first)`,
      ),
    )
    expect(complaintsAbout(tried, partly)).toContain(
      'nobody sees token_usage.bonus_tokens one more (token_pack_purchase, first) in pack-paid, and no reason says why that does no harm',
    )
  })
})

describe('a healthy ledger', () => {
  test('of a pack: each fault is caught, refused or harmless', async ({ databases }) => {
    const tried = await tryIn(pack, databases)
    expect(complaintsAbout(tried, partly)).toEqual([])
    const cells = matrixOf(tried, catalogue)
    expect(renderSums(tried, cells)).toMatch(/^\d+ faults of \d+ kinds in 1 ledgers: \d+ caught by rules/)
    expect(renderMatrix(cells)).toMatch(
      /token_usage\.user_id\n {2}null +– +– +1 +– {2}user_id not null\n {2}another user +1 +–/,
    )
  })

  // What decides over thousands of faults in milliseconds has to say what the nightly audit would say.
  test('of 28-day cycles: the audit itself finds what the quick judge found', async ({ databases }) => {
    const tried = await tryIn(rollover, databases, {
      only: ({ name }) => SHOWN.some((start) => name.startsWith(start)),
      confirm: () => true,
    })
    expect(Object.fromEntries(tried.map(({ fault, fate }) => [fault.name, fate]))).toMatchObject({
      'token_drips.cycle_number swapped with a neighbour (drip, first)': {
        is: 'judged',
        red: ['drip-cycles-contiguous'],
      },
      'token_drips.drip_amount negated (drip, last)': { is: 'judged' },
      'token_usage.tokens_used one more (subscription_grant, middle)': {
        is: 'refused',
        by: 'token_usage_balances_agree',
      },
      'user_profiles.token_rollover_cycles one more (active, first)': {
        is: 'judged',
        red: ['drip-rollover-counts'],
      },
      'user_profiles.updated_at a day later (active, first)': { is: 'judged', red: [] },
    })
  })
})

const SHOWN = [
  'token_drips.cycle_number swapped with a neighbour (drip, first)',
  'token_drips.drip_amount negated (drip, last)',
  'token_usage.tokens_used one more (subscription_grant, middle)',
  'user_profiles.token_rollover_cycles one more (active, first)',
  'user_profiles.updated_at a day later (active, first)',
]

describe('a reason', () => {
  const only: TryOptions['only'] = ({ name }) =>
    /token_usage\.(user_id another|model_used changed)/.test(name)

  // A reason that outlives the gap hides the next one.
  test('for what is caught is told, and so is one for nothing', async ({ databases }) => {
    const tried = await tryIn(pack, databases, { only })
    const model = { column: 'token_usage.model_used', reason: 'is not judged' }
    const user = { column: 'token_usage.user_id', reason: 'is not judged' }
    const gone = { column: 'token_usage.gone', reason: 'is not judged' }
    expect(complaintsAbout(tried, { harmless: [model], everywhere: true })).toEqual([])
    expect(complaintsAbout(tried, { harmless: [model, user], everywhere: true })).toEqual([
      expect.stringMatching(
        /^token_usage\.user_id is said to be harmless, and .* is caught by .*grant-user-as-owed/,
      ),
    ])
    expect(complaintsAbout(tried, { harmless: [model, gone], everywhere: true })).toEqual([
      'token_usage.gone is said to be harmless, and nothing of it is unseen',
    ])
    expect(complaintsAbout(tried, { harmless: [{ ...model, sometimes: true }], everywhere: true })).toEqual([
      'token_usage.model_used is said to be caught at times, and never is',
    ])
  })
})

test('npm run mutants names a mutant that there is not', async () => {
  const { code, err } = await runScript(join('scripts', 'mutants.ts'), ['nobody'])
  expect({ code, err }).toEqual({
    code: 3,
    err: 'mutants: no mutant "nobody": fixtures/app/mutants has one a file\n',
  })
})

function tryIn(
  world: World,
  databases: Databases,
  options: Partial<TryOptions> = {},
): ReturnType<typeof tryFaults> {
  return tryFaults(world, { databases, catalogue, ...options })
}

async function namesOf(world: World, url: string): Promise<string[]> {
  await world.fill(url)
  return withDatabase(url, async (client) => (await dataFaults(client)).map(({ name }) => name))
}
