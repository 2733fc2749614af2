import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { takeLock } from './history-lock.ts'

type Files = typeof import('node:fs/promises')

vi.mock('node:fs/promises', async (original) => {
  const real = await original<Files>()
  return { ...real, writeFile: vi.fn(real.writeFile), rm: vi.fn(real.rm), utimes: vi.fn(real.utimes) }
})

const NOW = new Date('2026-12-01T03:17:00.000Z')
const DEAD = JSON.stringify({ token: 't', pid: 2 ** 22 + 1, host: hostname(), since: NOW.toISOString() })
let directory: string
let path: string

beforeEach(async () => {
  const real = await vi.importActual<Files>('node:fs/promises')
  directory = await mkdtemp(join(tmpdir(), 'audit-lock-'))
  path = join(directory, '.lock')
  await writeFile(path, DEAD)
  onTestFinished(() => real.rm(directory, { recursive: true }))
})

/** Holds up the next call for a file, until it is let go. */
async function holdUp(name: 'writeFile' | 'rm', file: string) {
  const real = await vi.importActual<Files>('node:fs/promises')
  const reached = Promise.withResolvers<void>()
  const goes = Promise.withResolvers<void>()
  const call = real[name] as (...args: unknown[]) => Promise<void>
  let first = true
  const held = async (...args: unknown[]) => {
    if (first && args[0] === file) {
      first = false
      reached.resolve()
      await goes.promise
    }
    return call(...args)
  }
  const mocked = vi.mocked((name === 'rm' ? rm : writeFile) as typeof call)
  mocked.mockImplementation(held)
  onTestFinished(() => void mocked.mockImplementation(call))
  return { reached: reached.promise, go: goes.resolve }
}

// It has read a dead one's file; before it takes that away, another has put its own in its place.
test('who comes late to a dead one takes nothing from a living one', async () => {
  const turn = await holdUp('writeFile', `${path}.clear`)
  const late = takeLock(directory, { now: NOW, waitMs: 0 })
  await turn.reached
  const first = await takeLock(directory, { now: NOW, waitMs: 0 })
  const mine = await readFile(path, 'utf8')
  turn.go()
  await expect(late).rejects.toThrow('is using it')
  expect(await readFile(path, 'utf8')).toBe(mine)
  await first.release()
})

test('of two who see a dead one, the second waits for its turn', async () => {
  const taking = await holdUp('rm', path)
  const first = takeLock(directory, { now: NOW, waitMs: 0 })
  await taking.reached
  await expect(takeLock(directory, { now: NOW, waitMs: 0 })).rejects.toThrow('is using it')
  taking.go()
  await (await first).release()
  expect(await readdir(directory)).toEqual([])
})

test('one that died in its turn keeps it for a minute', async () => {
  await writeFile(`${path}.clear`, '')
  await expect(takeLock(directory, { now: NOW, waitMs: 0 })).rejects.toThrow('is using it')
  await utimes(`${path}.clear`, new Date(), new Date(Date.now() - 61_000))
  await (await takeLock(directory, { now: NOW, waitMs: 1_000 })).release()
  expect(await readdir(directory)).toEqual([])
})

// A laptop that slept was taken for dead: what it finds when it wakes up is another's.
test('is released by its holder only', async () => {
  const lock = await takeLock(directory, { now: NOW, waitMs: 0 })
  await writeFile(path, DEAD)
  await lock.release()
  expect(await readFile(path, 'utf8')).toBe(DEAD)
})

// Silent, it would be taken for dead after a minute; speaking on after its end, it would let another's death pass unseen.
test('a holder says that it lives, as long as it holds', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  const lock = await takeLock(directory, { now: NOW, waitMs: 0 })
  vi.mocked(utimes).mockClear()
  vi.advanceTimersByTime(60_000)
  expect(vi.mocked(utimes).mock.calls.length).toBeGreaterThan(5)
  expect(vi.mocked(utimes).mock.calls[0]?.[0]).toBe(path)
  await lock.release()
  vi.mocked(utimes).mockClear()
  vi.advanceTimersByTime(60_000)
  expect(utimes).not.toHaveBeenCalled()
})
