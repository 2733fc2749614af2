import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { UsageError } from './errors.ts'
import { NOT_FETCHED } from './history.ts'
import { plural } from './reports/words.ts'

/** The branch of `origin` that holds the history: one file a run and target, and no file of the product. */
export const BRANCH = 'audit-history'

const REMOTE = `refs/heads/${BRANCH}`
const LOCAL = `refs/remotes/origin/${BRANCH}`
/** Pushes that are tried, when others push at the same time. */
const ATTEMPTS = 6
const GIT_MS = 60_000

export interface Branch {
  /** A directory of the repository whose `origin` is meant. */
  readonly repository: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Waits between two pushes, in ms. */
  wait?(ms: number): Promise<unknown>
}

/**
 * Brings the history of the branch into a directory. Records that are only there stay.
 *
 * @returns what was done, in words
 * @throws Error when the branch can't be fetched; a run on this directory then knows, and says, that it knows nothing
 *   of the runs before because of that
 */
export async function pull(directory: string, branch: Branch): Promise<string> {
  await usable(directory)
  const mark = join(directory, NOT_FETCHED)
  const git = gitIn(directory, branch)
  try {
    await git.begin()
    const tip = await fetch(git)
    if (tip === undefined) {
      await rm(mark, { force: true })
      return `there is no branch ${BRANCH} yet: no history`
    }
    await git.files('read-tree', tip)
    await git.files('checkout-index', '--all', '--force')
    await rm(mark, { force: true })
    return `${plural((await filesOf(git, tip)).length, 'record')} of the branch ${BRANCH}`
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    await writeFile(mark, `${why}\n`)
    throw new Error(`the branch ${BRANCH} can't be fetched: ${why}`, { cause: error })
  } finally {
    await git.end()
  }
}

/**
 * Adds the records of a directory to the branch, which is made when it is missing. What the branch has stays as it is.
 * Records that another run pushes meanwhile are kept: it builds on them and tries again.
 *
 * @returns what was done, in words
 * @throws Error when it can't be pushed
 */
export async function push(directory: string, branch: Branch): Promise<string> {
  const git = gitIn(directory, branch)
  const wait = branch.wait ?? sleep
  try {
    const records = await recordsIn(directory)
    await git.begin()
    for (let attempt = 1; ; attempt++) {
      const tip = await fetch(git)
      const there = new Set(tip === undefined ? [] : await filesOf(git, tip))
      const added = records.filter((path) => !there.has(path))
      if (added.length === 0) return `nothing new for the branch ${BRANCH}`
      const commit = await commitOf(git, tip, added)
      try {
        await git('push', '--quiet', '--no-verify', 'origin', `${commit}:${REMOTE}`)
        return `${plural(added.length, 'record')} added to the branch ${BRANCH}`
      } catch (error) {
        if (attempt === ATTEMPTS) throw error
        await wait(2 ** attempt * 250 * (0.5 + Math.random()))
      }
    }
  } catch (error) {
    if (error instanceof UsageError) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(`the history can't be pushed: ${why}`, { cause: error })
  } finally {
    await git.end()
  }
}

async function usable(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true }).catch((error: Error) => {
    throw new UsageError(`${directory} can't be used: ${error.message}`)
  })
}

/** The branch's last commit; undefined when the remote answers that there is none. */
async function fetch(git: Git): Promise<string | undefined> {
  const listed = await git('ls-remote', 'origin', REMOTE)
  if (listed === '') return undefined
  await git('fetch', '--quiet', '--no-tags', 'origin', `+${REMOTE}:${LOCAL}`)
  return git('rev-parse', LOCAL)
}

async function filesOf(git: Git, tip: string): Promise<readonly string[]> {
  const names = await git('ls-tree', '-r', '-z', '--name-only', '--full-tree', tip)
  return names.split('\0').filter((name) => name !== '')
}

async function recordsIn(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: Error) => {
    throw new UsageError(`${directory} can't be read: ${error.message}`)
  })
  const targets = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
  const paths = await Promise.all(
    targets.map(async ({ name }) =>
      (await readdir(join(directory, name)))
        .filter((file) => file.endsWith('.json') && !file.startsWith('.'))
        .map((file) => `${name}/${file}`),
    ),
  )
  return paths.flat().sort()
}

async function commitOf(git: Git, tip: string | undefined, added: readonly string[]): Promise<string> {
  await git.files('read-tree', ...(tip === undefined ? ['--empty'] : [tip]))
  await git.files('update-index', '--add', '--', ...added)
  const tree = await git.files('write-tree')
  return git('commit-tree', tree, '-m', 'What the audit found', ...(tip === undefined ? [] : ['-p', tip]))
}

interface Git {
  (...args: string[]): Promise<string>
  /** The same, with the directory for its working tree, and an index of its own. */
  files(...args: string[]): Promise<string>
  begin(): Promise<void>
  end(): Promise<void>
}

/** git on the repository's objects. The checkout that it is called from is never touched. */
function gitIn(directory: string, { repository, env }: Branch): Git {
  let scratch = ''
  let token: Readonly<Record<string, string>> = {}
  let place: Readonly<Record<string, string>> = {}
  const git = (...args: string[]) => run(args, repository, { ...env, ...token })
  return Object.assign(git, {
    files: (...args: string[]) => run(args, directory, { ...env, ...place }),
    begin: async () => {
      const gitDirectory = await git('rev-parse', '--absolute-git-dir')
      token = tokenFor(await git('remote', 'get-url', 'origin'), env.GITHUB_TOKEN)
      scratch = await mkdtemp(join(tmpdir(), 'audit-history-'))
      place = {
        GIT_DIR: gitDirectory,
        GIT_WORK_TREE: resolve(directory),
        GIT_INDEX_FILE: join(scratch, 'index'),
      }
    },
    end: async () => {
      if (scratch !== '') await rm(scratch, { recursive: true, force: true })
    },
  })
}

function run(args: readonly string[], cwd: string, env: Branch['env']): Promise<string> {
  const options = {
    cwd,
    env: { ...env, ...IDENTITY, GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' },
    timeout: GIT_MS,
    maxBuffer: 64 * 1024 * 1024,
  }
  return new Promise((done, failed) => {
    execFile('git', [...args], options, (error, out, told) => {
      if (error === null) return done(out.replace(/\n$/, ''))
      const why = error.killed ? `no answer within ${GIT_MS / 1_000} s` : told.trim() || error.message
      failed(new Error(`git ${args[0]}: ${why}`))
    })
  })
}

const IDENTITY = {
  GIT_AUTHOR_NAME: 'token-audit',
  GIT_AUTHOR_EMAIL: 'token-audit@localhost',
  GIT_COMMITTER_NAME: 'token-audit',
  GIT_COMMITTER_EMAIL: 'token-audit@localhost',
}

/** Passes a workflow's token to git by its environment: an argument could be read by every process of the machine. */
function tokenFor(origin: string, token: string | undefined): Record<string, string> {
  if (!token || !/^https?:/.test(origin)) return {}
  const secret = Buffer.from(`x-access-token:${token}`).toString('base64')
  return {
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: `http.${new URL(origin).origin}/.extraheader`,
    GIT_CONFIG_VALUE_0: `AUTHORIZATION: basic ${secret}`,
  }
}
