import * as files from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { takeLock } from './history-lock.ts'

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof files>()
  return { ...real, rename: vi.fn(real.rename) }
})

const rename = vi.mocked(files.rename)
const NOW = new Date('2026-12-01T03:17:00.000Z')
const DEAD = JSON.stringify({ token: 't', pid: 2 ** 22 + 1, host: hostname(), since: NOW.toISOString() })
let directory: string
let path: string

beforeEach(async () => {
  directory = await files.mkdtemp(join(tmpdir(), 'audit-lock-'))
  path = join(directory, '.lock')
  onTestFinished(() => files.rm(directory, { recursive: true }))
})

// The second has read a dead one's file; before it takes that away, the first has put its own in its place.
test('who comes late to a dead one gives back what it took from a living one', async () => {
  await files.writeFile(path, DEAD)
  const move = rename.getMockImplementation() as typeof files.rename
  const firstHolds = Promise.withResolvers<void>()
  const taken = Promise.withResolvers<void>()
  rename.mockImplementationOnce(async (from, to) => {
    await firstHolds.promise
    await move(from, to)
    taken.resolve()
  })
  let second = false
  const late = takeLock(directory, { now: NOW, waitMs: 60_000 }).then((lock) => {
    second = true
    return lock
  })
  await vi.waitFor(() => expect(rename).toHaveBeenCalledTimes(1))
  const first = await takeLock(directory, { now: NOW, waitMs: 0 })
  const mine = await files.readFile(path, 'utf8')
  firstHolds.resolve()
  await taken.promise
  await vi.waitFor(async () => {
    expect(await files.readdir(directory)).toEqual(['.lock'])
    expect(await files.readFile(path, 'utf8')).toBe(mine)
  })
  expect(second).toBe(false)
  await first.release()
  await (await late).release()
})

// A laptop that slept was taken for dead: what it finds when it wakes up is another's.
test('is released by its holder only', async () => {
  const lock = await takeLock(directory, { now: NOW, waitMs: 0 })
  await files.writeFile(path, DEAD)
  await lock.release()
  expect(await files.readFile(path, 'utf8')).toBe(DEAD)
})
