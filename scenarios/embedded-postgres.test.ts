import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { expect, onTestFinished, test, vi } from 'vitest'
import { unprivilegedAccount } from '../fixtures/postgres/account.ts'
import { nativeDirectory, runnableBinaries } from '../fixtures/postgres/binaries.ts'
import { binariesOf, homeOfClusters } from '../fixtures/postgres/cluster.ts'
import { serverVersion } from '../fixtures/postgres/connection.ts'
import { startEmbedded } from '../fixtures/postgres/embedded.ts'

/** The clusters of a process, as full paths. */
async function clustersOf(pid: number): Promise<string[]> {
  const home = await homeOfClusters()
  return (await readdir(home)).filter((name) => name.includes(`-${pid}-`)).map((name) => join(home, name))
}

test('it is a Postgres like the others, and leaves nothing when stopped', async () => {
  const { url, stop } = await startEmbedded(false)
  onTestFinished(stop)
  const client = new Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query(
    `select current_setting('fsync') as fsync, current_setting('timezone') as zone, rolsuper as super,
            pg_encoding_to_char(encoding) as encoding, datlocale as locale
     from pg_database, pg_roles where datname = current_database() and rolname = current_user`,
  )
  expect(rows).toEqual([{ fsync: 'off', zone: 'UTC', super: true, encoding: 'UTF8', locale: 'C.UTF-8' }])
  await client.end()
  await stop()
  expect(await clustersOf(process.pid)).toEqual([])
  await expect(serverVersion(url)).rejects.toThrow('ECONNREFUSED')
})

// Catches the start that fails once in a while on a busy machine, where a free port is taken a moment later.
test('a port that somebody took is no failure: another is used', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  onTestFinished(() => {
    taken.close()
  })
  const { port } = taken.address() as { port: number }
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port: other } = free.address() as { port: number }
  free.close()
  await once(free, 'close')
  const ports = [port, other]
  const { url, stop } = await startEmbedded(false, async () => ports.shift() as number)
  onTestFinished(stop)
  expect(new URL(url).port).toBe(String(other))
})

test('when no port can be had, it says what the server said', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  onTestFinished(() => {
    taken.close()
  })
  const { port } = taken.address() as { port: number }
  await expect(startEmbedded(false, async () => port)).rejects.toThrow(
    /embedded Postgres did not start in .*Address already in use/,
  )
  expect(await clustersOf(process.pid)).toEqual([])
})

// Catches clean-up that hangs on a signal handler: SIGKILL runs none, and after Ctrl-C a runner leaves at once.
test.each(['SIGINT', 'SIGKILL'] as const)(
  '%s to who started it leaves neither server nor data',
  async (signal) => {
    const program = `import { startEmbedded } from ${JSON.stringify(import.meta.resolve('../fixtures/postgres/embedded.ts'))}
    console.log((await startEmbedded(false)).url)
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
    const url = String(printed).trim()
    const pid = starter.pid as number
    expect(await clustersOf(pid)).toHaveLength(1)
    expect(await serverVersion(url)).toMatch(/^17\./)
    process.kill(-pid, signal)
    await vi.waitFor(async () => expect(await clustersOf(pid)).toEqual([]), 5_000)
    await vi.waitFor(() => expect(serverVersion(url)).rejects.toThrow('ECONNREFUSED'), 5_000)
  },
)

test('one that is to stay does, until its own line is run', async () => {
  const { url, endedBy, stop } = await startEmbedded(true)
  await stop()
  expect(await serverVersion(url)).toMatch(/^17\./)
  expect(spawnSync('sh', ['-c', endedBy as string]).status).toBe(0)
  await vi.waitFor(() => expect(serverVersion(url)).rejects.toThrow('ECONNREFUSED'), 5_000)
  expect(await clustersOf(process.pid)).toEqual([])
})

// Catches a checkout below /root: root may start the binaries there, the account that Postgres runs as may not.
test.skipIf(process.getuid?.() !== 0)(
  'binaries that its account can not reach are run from a copy',
  async () => {
    const closed = await mkdtemp(join(await homeOfClusters(), 'closed-'))
    const cluster = await mkdtemp(join(tmpdir(), 'cluster-'))
    onTestFinished(async () => {
      for (const path of [closed, cluster, binariesOf(cluster)]) await rm(path, { recursive: true })
    })
    await cp(nativeDirectory(), join(closed, 'native'), { recursive: true, verbatimSymlinks: true })
    await chmod(closed, 0o700)
    const account = unprivilegedAccount()
    const bin = await runnableBinaries(cluster, account, join(closed, 'native'))
    expect(bin.initdb).toBe(join(binariesOf(cluster), 'bin', 'initdb'))
    const { status } = spawnSync(bin.initdb, ['--version'], { ...account, cwd: '/' })
    expect(status).toBe(0)
  },
)

test('binaries that nobody can run are a sentence, not a stack of errors', async () => {
  const nothing = join(tmpdir(), 'no-postgres-here')
  await expect(runnableBinaries('unused', undefined, nothing)).rejects.toThrow(
    `embedded Postgres can't be run from ${nothing} (ENOENT): reinstall with npm ci`,
  )
})
