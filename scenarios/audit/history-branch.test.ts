import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { NOT_FETCHED, openHistory } from '../../audits/history.ts'
import { BRANCH, pull, push } from '../../audits/history-branch.ts'
import { report, rule, target } from '../../audits/reports/examples.ts'
import { ROOT } from './support.ts'

const ENV = { PATH: process.env.PATH, HOME: tmpdir(), GIT_CONFIG_NOSYSTEM: '1' }

async function git(cwd: string, ...args: string[]): Promise<string> {
  return new Promise((done, failed) => {
    execFile('git', args, { cwd, env: ENV }, (error, out, err) =>
      error === null ? done(out.trim()) : failed(new Error(err)),
    )
  })
}

/** A bare repository with a commit on main, and clones of it. */
async function repositories(clones: number): Promise<{ origin: string; clones: readonly string[] }> {
  const at = await mkdtemp(join(tmpdir(), 'history-branch-'))
  onTestFinished(() => rm(at, { recursive: true, force: true }))
  const origin = join(at, 'origin.git')
  await git(at, 'init', '--quiet', '--bare', '--initial-branch=main', origin)
  const names = Array.from({ length: clones }, (_, index) => join(at, `clone-${index}`))
  for (const clone of names) {
    await git(at, 'clone', '--quiet', origin, clone)
    if (clone === names[0]) {
      const who = ['-c', 'user.name=ann', '-c', 'user.email=ann@localhost']
      await writeFile(join(clone, 'README.md'), 'the product\n')
      await git(clone, 'add', 'README.md')
      await git(clone, ...who, 'commit', '--quiet', '-m', 'The product')
      await git(clone, 'push', '--quiet', 'origin', 'HEAD:main')
    }
  }
  return { origin, clones: names }
}

const branchOf = (repository: string, wait = async () => {}) => ({ repository, env: ENV, wait })
const historyOf = (clone: string) => join(clone, 'out/history')

/** A run on a target leaves its record. */
async function record(directory: string, name: string, run: string): Promise<void> {
  const history = await openHistory(directory, { now: new Date(), waitMs: 0, targets: [name] })
  await history.append(report([target([rule()], { name })], { run_id: run }), null)
  await history.close()
}

const onBranch = async (origin: string) =>
  (await git(origin, 'ls-tree', '-r', '--name-only', BRANCH)).split('\n')

describe('the history on its branch', () => {
  test('begins with no history, which is no error', async () => {
    const { clones } = await repositories(1)
    const [clone = ''] = clones
    expect(await pull(historyOf(clone), branchOf(clone))).toBe(`there is no branch ${BRANCH} yet: no history`)
    expect(await readdir(historyOf(clone))).toEqual([])
  })

  test('goes out with one run, and comes in with the next, on another machine', async () => {
    const { origin, clones } = await repositories(2)
    const [one = '', two = ''] = clones
    await record(historyOf(one), 'eu', 'r1')
    expect(await push(historyOf(one), branchOf(one))).toBe(`1 record added to the branch ${BRANCH}`)
    expect(await onBranch(origin)).toEqual(['eu/r1.json'])
    expect(await pull(historyOf(two), branchOf(two))).toBe(`1 record of the branch ${BRANCH}`)
    await record(historyOf(two), 'eu', 'r2')
    await push(historyOf(two), branchOf(two))
    expect(await push(historyOf(two), branchOf(two))).toBe(`nothing new for the branch ${BRANCH}`)
    expect(await onBranch(origin)).toEqual(['eu/r1.json', 'eu/r2.json'])
    // A branch of its own: nothing of the product, and no commit of it.
    expect(await git(origin, 'log', '--format=%s', BRANCH)).toBe('What the audit found\nWhat the audit found')
  })

  test('touches nothing of the checkout that it is called from', async () => {
    const { clones } = await repositories(1)
    const [clone = ''] = clones
    await writeFile(join(clone, 'README.md'), 'being edited\n')
    await writeFile(join(clone, 'staged'), '')
    await git(clone, 'add', 'staged')
    const before = await git(clone, 'status', '--porcelain')
    const elsewhere = await mkdtemp(join(tmpdir(), 'history-'))
    onTestFinished(() => rm(elsewhere, { recursive: true }))
    await record(elsewhere, 'eu', 'r1')
    await push(elsewhere, branchOf(clone))
    await pull(elsewhere, branchOf(clone))
    expect(await git(clone, 'status', '--porcelain')).toBe(before)
    expect(await git(clone, 'rev-parse', '--abbrev-ref', 'HEAD')).toBe('main')
  })

  // A plain push of the loser is refused, and a forced one loses the winner's night.
  test.each([
    ['has no branch yet', 0],
    ['has a history', 1],
  ])('loses nothing in a race where origin %s', async (_, before) => {
    const { origin, clones } = await repositories(4)
    const [first = ''] = clones
    for (let run = 0; run < before; run++) {
      await record(historyOf(first), 'eu', `before-${run}`)
      await push(historyOf(first), branchOf(first))
    }
    await Promise.all(
      clones.map(async (clone, index) => {
        await record(historyOf(clone), 'eu', `run-${index}`)
        await push(historyOf(clone), branchOf(clone))
      }),
    )
    expect(await onBranch(origin)).toEqual([
      ...Array.from({ length: before }, (_, run) => `eu/before-${run}.json`),
      ...clones.map((_, index) => `eu/run-${index}.json`),
    ])
  })

  test('is pushed again when another was faster, on top of what that brought', async () => {
    const { origin, clones } = await repositories(2)
    const [one = '', two = ''] = clones
    await record(historyOf(one), 'eu', 'r1')
    await record(historyOf(two), 'us', 'r2')
    // Between what the first has fetched and its push, the second one is there.
    const hook = join(origin, 'hooks/pre-receive')
    const once = `#!/bin/sh\nrm "$0"\nexit 1\n`
    await writeFile(hook, once)
    await chmod(hook, 0o755)
    const waits: unknown[] = []
    await push(historyOf(one), {
      ...branchOf(one),
      wait: async (ms) => {
        waits.push(ms)
        await push(historyOf(two), branchOf(two))
      },
    })
    expect(waits).toHaveLength(1)
    expect(await onBranch(origin)).toEqual(['eu/r1.json', 'us/r2.json'])
  })

  test('gives up on an origin that takes nothing, with its words', async () => {
    const { origin, clones } = await repositories(1)
    const [clone = ''] = clones
    await record(historyOf(clone), 'eu', 'r1')
    await writeFile(join(origin, 'hooks/pre-receive'), '#!/bin/sh\necho the branch is protected\nexit 1\n')
    await chmod(join(origin, 'hooks/pre-receive'), 0o755)
    await expect(push(historyOf(clone), branchOf(clone))).rejects.toThrow(
      /^the history can't be pushed: git push: [\s\S]*the branch is protected/,
    )
  })

  // A torn copy here must not take the place of the whole one there.
  test('never changes a record that is there', async () => {
    const { origin, clones } = await repositories(1)
    const [clone = ''] = clones
    await record(historyOf(clone), 'eu', 'r1')
    await push(historyOf(clone), branchOf(clone))
    const path = join(historyOf(clone), 'eu/r1.json')
    const whole = await readFile(path, 'utf8')
    await writeFile(path, '{')
    await record(historyOf(clone), 'us', 'r2')
    await push(historyOf(clone), branchOf(clone))
    expect(`${await git(origin, 'show', `${BRANCH}:eu/r1.json`)}\n`).toBe(whole)
    await pull(historyOf(clone), branchOf(clone))
    expect(await readFile(path, 'utf8')).toBe(whole)
  })

  test('has records only: no lock, and nothing that is half written', async () => {
    const { origin, clones } = await repositories(1)
    const [clone = ''] = clones
    const directory = historyOf(clone)
    await record(directory, 'eu', 'r1')
    for (const name of ['.lock', NOT_FETCHED, 'eu/r2.json.part', 'notes.json']) {
      await writeFile(join(directory, name), '{}')
    }
    await mkdir(join(directory, '.hidden'))
    await writeFile(join(directory, '.hidden/x.json'), '{}')
    await push(directory, branchOf(clone))
    expect(await onBranch(origin)).toEqual(['eu/r1.json'])
  })
})

describe('a history that can not be fetched', () => {
  // Taken for "no history", it would make of every old finding an unknown one, and of a new one too.
  test('is an error, and the next run on it says so', async () => {
    const { origin, clones } = await repositories(1)
    const [clone = ''] = clones
    const directory = historyOf(clone)
    await record(directory, 'eu', 'r1')
    await push(directory, branchOf(clone))
    await git(clone, 'remote', 'set-url', 'origin', `${origin}-gone`)
    await expect(pull(directory, branchOf(clone))).rejects.toThrow(
      /^the branch audit-history can't be fetched: git ls-remote: /,
    )
    const open = async () => {
      const history = await openHistory(directory, { now: new Date(), waitMs: 0, targets: ['eu'] })
      await history.close()
      return { warnings: history.warnings.length, known: history.of('eu').known }
    }
    expect(await open()).toEqual({ warnings: 1, known: false })
    await git(clone, 'remote', 'set-url', 'origin', origin)
    await pull(directory, branchOf(clone))
    expect(await open()).toEqual({ warnings: 0, known: true })
  })

  test('is none of a repository without origin, or of no repository', async () => {
    const { origin, clones } = await repositories(1)
    const [clone = ''] = clones
    await git(clone, 'remote', 'remove', 'origin')
    await expect(pull(historyOf(clone), branchOf(clone))).rejects.toThrow('No such remote')
    const outside = { ...branchOf(join(origin, '..')), env: { ...ENV, GIT_CEILING_DIRECTORIES: tmpdir() } }
    await expect(pull(historyOf(clone), outside)).rejects.toThrow('not a git repository')
  })
})

describe('npm run history', () => {
  function history(cwd: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    return new Promise<{ code: number; out: string; err: string }>((done) => {
      const options = { cwd, env: { ...ENV, ...env } }
      execFile(process.execPath, [join(ROOT, 'scripts/history.ts'), ...args], options, (error, out, err) =>
        done({ code: error === null ? 0 : Number(error.code), out, err }),
      )
    })
  }

  test('ends with 0 when it is done, 2 when it can not, 3 for wrong usage', async () => {
    const { clones } = await repositories(1)
    const [clone = ''] = clones
    expect(await history(clone, ['pull', 'h'])).toEqual({
      code: 0,
      out: `there is no branch ${BRANCH} yet: no history\n`,
      err: '',
    })
    await record(join(clone, 'h'), 'eu', 'r1')
    expect(await history(clone, ['push', 'h'])).toMatchObject({ code: 0, err: '' })
    expect(await history(clone, ['push', 'nowhere'])).toMatchObject({
      code: 3,
      err: expect.stringMatching(/^history: nowhere can't be read/),
    })
    expect(await history(clone, ['pull', 'README.md'])).toMatchObject({ code: 3 })
    expect(await history(clone, ['fetch', 'h'])).toMatchObject({ code: 3 })
    expect(await history(clone, ['--help'])).toMatchObject({ code: 0, err: '' })
    await git(clone, 'remote', 'set-url', 'origin', 'nowhere')
    expect(await history(clone, ['pull', 'h'])).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringMatching(/^history: the branch/),
    })
  })

  // A token in the arguments, or in a message, is read by others.
  test('shows the token of a workflow to origin, and to nobody else', async () => {
    const { clones } = await repositories(1)
    const [clone = ''] = clones
    const seen: (string | undefined)[] = []
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization)
      response.writeHead(403).end()
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    onTestFinished(() => new Promise<void>((done) => server.close(() => done())))
    const { port } = server.address() as AddressInfo
    await git(clone, 'remote', 'set-url', 'origin', `http://ann:geheim@127.0.0.1:${port}/x.git`)
    const ran = await history(clone, ['pull', 'h'], { GITHUB_TOKEN: 'tok-4711' })
    expect(seen).toContain(`basic ${Buffer.from('x-access-token:tok-4711').toString('base64')}`)
    expect(ran.code).toBe(2)
    const said = `${ran.out}${ran.err}${await readFile(join(clone, 'h', NOT_FETCHED), 'utf8')}`
    expect(said).not.toMatch(/geheim|4711/)
  })
})
