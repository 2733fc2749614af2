import { en, Faker } from '@faker-js/faker'
import { describe, expect } from 'vitest'
import type { Found } from './found.ts'
import { mendAll, unify } from './road.ts'
import { test } from './test.ts'

const USERS = 40

// Would catch: any rule of thumb of `differences` that some order of packs, years, drips, trials, use, redeliveries
// and losses makes wrong. The seed is in the test's name: a failure plays again.
describe.for([10, 25, 33])('histories of seed %i', (seed) => {
  test('are mended with evidence', async ({ asFound: { database, found } }) => {
    const untouched = await histories(found, seed)
    await unify(database, found)
    const lines = await mendAll(database, found, found.evidence)
    // Who lost nothing is given nothing: no token is made from nowhere.
    for (const user of untouched)
      expect(lines[user]?.filter((line) => line.startsWith('grant')) ?? []).toEqual([])
  })

  test('are mended without evidence', async ({ asFound: { database, found } }) => {
    await histories(found, seed)
    await unify(database, found)
    const lines = Object.values(await mendAll(database, found)).flat()
    expect(lines.filter((line) => line.startsWith('grant'))).toEqual([])
  })

  test('are mended without evidence, and once more when it comes', async ({
    asFound: { database, found },
  }) => {
    const untouched = await histories(found, seed)
    await unify(database, found)
    await mendAll(database, found)
    const lines = await mendAll(database, found, found.evidence)
    for (const user of untouched)
      expect(lines[user]?.filter((line) => line.startsWith('grant')) ?? []).toEqual([])
  })
})

/** Fills the database; returns the users of whom no fact was lost. */
async function histories(found: Found, seed: number): Promise<string[]> {
  const faker = new Faker({ locale: en })
  faker.seed(seed)
  const untouched: string[] = []
  let facts = 0
  for (let i = 0; i < USERS; i++) {
    const user = await found.user({
      balance: faker.helpers.arrayElement([0, 0, 100]),
      draft: faker.datatype.boolean(),
    })
    let lost = false
    const fate = () => {
      const times = faker.helpers.arrayElement([1, 1, 1, 1, 0, 2, 3])
      const settled = times > 0 ? faker.datatype.boolean({ probability: 0.9 }) : true
      lost ||= times === 0
      return { times, settled }
    }
    const once = () => ({ times: Math.min(fate().times, 1) })
    const drips = `sub_drip_${seed}_${i}`
    const years = `sub_year_${seed}_${i}`
    for (let acts = faker.number.int({ min: 1, max: 10 }); acts > 0; acts--) {
      const id = `${seed}_${++facts}`
      switch (faker.helpers.arrayElement(['pack', 'year', 'drip', 'trial', 'use', 'use', 'admin'])) {
        case 'pack': {
          // As found two packs bought at once are granted as one.
          const quantity = faker.helpers.arrayElement([1, 1, 1, 2])
          lost ||= quantity > 1
          await found.pack(user, faker.helpers.arrayElement([2_000_000, 5_000_000]), `cs_${id}`, {
            ...fate(),
            quantity,
          })
          break
        }
        case 'year':
          await found.annual(user, years, `in_${id}`, fate())
          break
        case 'drip':
          await found.drip(user, drips, `in_${id}`, fate())
          break
        case 'trial':
          await found.trial(user, `sub_trial_${id}`, faker.helpers.arrayElement([500_000, 1_000_000]), {
            settled: true,
            times: fate().times,
          })
          break
        case 'use':
          await found.use(user, faker.number.int({ min: 0, max: 3_000_000 }), {
            row: faker.datatype.boolean({ probability: 0.9 }),
            success: faker.datatype.boolean({ probability: 0.9 }),
          })
          break
        case 'admin':
          await found.admin(user, faker.number.int({ min: 1, max: 1_000 }), `req-${id}`, once())
          break
      }
    }
    if (!lost) untouched.push(user)
  }
  return untouched
}
