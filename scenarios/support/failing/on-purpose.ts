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

test('is given up', async ({ database }) => {
  await database('empty')
  await new Promise(() => {})
}, 100)
