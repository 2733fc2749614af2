import { test as base } from '../support/test.ts'
import { Found } from './found.ts'

/** A test with a database as found of its own, and what was done to it. */
export const test = base.extend('asFound', async ({ database, onTestFinished }) => {
  const own = await database('as-found')
  const found = await Found.in(own)
  onTestFinished(() => found.close())
  return { database: own, found }
})
