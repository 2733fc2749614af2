import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { homeOfClusters } from '../../fixtures/postgres/cluster.ts'
import { serverVersion } from '../../fixtures/postgres/connection.ts'
import { startReplicas } from '../../fixtures/postgres/standbys/start.ts'

/** The clusters of a process. */
async function clustersOf(pid: number): Promise<string[]> {
  return (await readdir(await homeOfClusters())).filter((name) => name.includes(`-${pid}-`))
}

test('a primary and its standbys leave nothing when they are stopped', async () => {
  const { primary, standbys, stop } = await startReplicas(2, { way: 'embedded' })
  onTestFinished(stop)
  expect(await clustersOf(process.pid)).toHaveLength(3)
  await stop()
  expect(await clustersOf(process.pid)).toEqual([])
  for (const url of [primary, ...standbys.map((standby) => standby.url)]) {
    await expect(serverVersion(url)).rejects.toThrow('ECONNREFUSED')
  }
})

// Catches a guardian for the primary alone: its standbys would run on for ever, looking for it.
test.each(['SIGINT', 'SIGKILL'] as const)(
  '%s to who started them leaves neither servers nor data',
  async (signal) => {
    const program = `import { startReplicas } from ${JSON.stringify(import.meta.resolve('../../fixtures/postgres/standbys/start.ts'))}
    const { primary, standbys } = await startReplicas(2, { way: 'embedded' })
    await standbys[0].restart()
    console.log([primary, ...standbys.map(({ url }) => url)].join(' '))
    setInterval(() => {}, 1000)`
    // A group of its own, so that the signal goes to all of it, as Ctrl-C does.
    const starter = spawn(process.execPath, ['--input-type=module', '-e', program], {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => {
      starter.kill('SIGKILL')
    })
    const [printed] = await once(starter.stdout, 'data')
    const urls = String(printed).trim().split(' ')
    const pid = starter.pid as number
    expect(await clustersOf(pid)).toHaveLength(3)
    process.kill(-pid, signal)
    await vi.waitFor(async () => expect(await clustersOf(pid)).toEqual([]), 10_000)
    for (const url of urls) {
      await vi.waitFor(() => expect(serverVersion(url)).rejects.toThrow('ECONNREFUSED'), 10_000)
    }
  },
)
