import { expect, test } from 'vitest'
import { wait } from './wait.ts'

// Node's own error for an aborted wait says nothing of why: Ctrl-C would look like a crash.
test('a wait that is ended early ends with the reason', async () => {
  const end = new AbortController()
  const waiting = wait(60_000, end.signal)
  end.abort(new Error('Ctrl-C'))
  await expect(waiting).rejects.toThrow('Ctrl-C')
})
