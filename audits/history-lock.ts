import { randomUUID } from 'node:crypto'
import { readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { shown, UsageError } from './errors.ts'
import { wait } from './wait.ts'

export interface Lock {
  release(): Promise<void>
}

const holderSchema = z.object({ token: z.string(), pid: z.int(), host: z.string(), since: z.string() })

const POLL_MS = 100
/** A holder says so often that it lives. */
const BEAT_MS = 5_000
/** A holder that was silent for so long has died, on whatever machine. */
const SILENT_MS = 60_000

/**
 * Makes a directory this process's own, by a file in it. A holder that died leaves the file behind: it is taken over
 * at once when it ran on this machine, else after a minute of silence.
 *
 * @throws UsageError when another holds it for longer than `waitMs`
 * @throws the signal's reason when it is aborted
 */
export async function takeLock(
  directory: string,
  { waitMs, now, signal }: { readonly waitMs: number; readonly now: Date; readonly signal?: AbortSignal },
): Promise<Lock> {
  const path = join(directory, '.lock')
  const text = JSON.stringify({
    token: randomUUID(),
    pid: process.pid,
    host: hostname(),
    since: now.toISOString(),
  })
  const until = performance.now() + waitMs
  while (!(await created(path, text))) {
    const held = await readFile(path, 'utf8').catch(undefinedWhenGone)
    if (held === undefined) continue
    if ((await isDead(path, held)) && (await clear(path, held))) continue
    if (performance.now() >= until) {
      throw new UsageError(
        `--history ${shown(directory)}: ${whose(held)} is using it: wait for its end, or remove ${shown(path)} when there is none`,
      )
    }
    await wait(Math.min(POLL_MS, Math.max(0, until - performance.now())), signal)
  }
  const beat = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), BEAT_MS)
  beat.unref()
  return {
    release: async () => {
      clearInterval(beat)
      const held = await readFile(path, 'utf8').catch(undefinedWhenGone)
      if (held === text) await rm(path, { force: true })
    },
  }
}

async function created(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function isDead(path: string, held: string): Promise<boolean> {
  if (await isSilent(path)) return true
  const holder = holderOf(held)
  return holder !== undefined && holder.host === hostname() && !runs(holder.pid)
}

async function isSilent(path: string): Promise<boolean> {
  const file = await stat(path).catch(undefinedWhenGone)
  return file !== undefined && Date.now() - file.mtimeMs > SILENT_MS
}

/**
 * Takes away the file of a dead holder. One process at a time, and after another look: else, of several who saw it, one
 * may take away what another has just put in its place.
 *
 * @returns whether this process had its turn
 */
async function clear(path: string, dead: string): Promise<boolean> {
  const turn = `${path}.clear`
  if (!(await created(turn, ''))) {
    if (await isSilent(turn)) await rm(turn, { force: true })
    return false
  }
  try {
    if ((await readFile(path, 'utf8').catch(undefinedWhenGone)) === dead) await rm(path, { force: true })
    return true
  } finally {
    await rm(turn, { force: true })
  }
}

function holderOf(held: string): z.output<typeof holderSchema> | undefined {
  try {
    return holderSchema.parse(JSON.parse(held))
  } catch {
    return undefined
  }
}

function whose(held: string): string {
  const holder = holderOf(held)
  return holder === undefined
    ? 'another run'
    : `another run (process ${holder.pid} on ${holder.host}, since ${holder.since})`
}

function runs(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

function undefinedWhenGone(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}
