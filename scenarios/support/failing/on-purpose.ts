import { expect } from 'vitest'
import { test } from '../test.ts'

test('passes', async ({ database }) => {
  console.log(`passed: ${(await database('empty')).name}`)
})

test('fails', async ({ database }) => {
  const { name } = await database('empty')
  expect(name).toBe('something else')
})

test('fails softly', async ({ database }) => {
  const { name } = await database('empty')
  expect.soft(name).toBe('something else')
})

// The first clone of another source: it takes longer than that.
test('is given up while it waits for its database', async ({ database }) => {
  await database('as-found')
}, 5)
