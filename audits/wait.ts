import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Waits for so many ms.
 *
 * @throws the signal's reason when it is aborted
 */
export async function wait(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { ...(signal && { signal }) }).catch((error) => {
    signal?.throwIfAborted()
    throw error
  })
}
