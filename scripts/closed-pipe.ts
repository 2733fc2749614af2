import { once } from 'node:events'

/** A reader that went away, as in `| head`, ends no work that has begun: what is left to say is said to nobody. */
export function outliveReader(): void {
  process.stdout.on('error', () => {})
}

/** Says a line, and waits where the reader is slow: what is said faster than it is read would pile up in memory. */
export async function say(line: string): Promise<void> {
  const { stdout } = process
  if (stdout.destroyed || stdout.write(`${line}\n`)) return
  const over = new AbortController()
  await Promise.race([
    once(stdout, 'drain', { signal: over.signal }),
    once(stdout, 'close', { signal: over.signal }),
  ]).catch(() => {})
  over.abort()
}
