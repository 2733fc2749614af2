import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Path (relative, with slashes) and text of each file of the repository. */
export type Files = ReadonlyMap<string, string>

/** What is committed or staged in `root`; all but installed and written files where there is no git. */
export function repositoryFiles(root: string): Files {
  const paths = existsSync(join(root, '.git')) ? tracked(root) : unpacked(root)
  const files = paths.filter((path) => statSync(join(root, path), { throwIfNoEntry: false })?.isFile())
  return new Map(files.map((path) => [path, readFileSync(join(root, path), 'utf8')]))
}

function tracked(root: string): string[] {
  // A checkout may belong to another account than the one that runs the tests, which git distrusts.
  const list = execFileSync('git', ['-c', 'safe.directory=*', 'ls-files', '-z'], {
    cwd: root,
    encoding: 'utf8',
  })
  return list.split('\0').filter((path) => path !== '')
}

function unpacked(root: string): string[] {
  const own = readdirSync(root).filter((entry) => !['node_modules', 'out'].includes(entry))
  return own.flatMap((entry) =>
    statSync(join(root, entry)).isDirectory()
      ? readdirSync(join(root, entry), { recursive: true, encoding: 'utf8' }).map(
          (path) => `${entry}/${path}`,
        )
      : [entry],
  )
}

const AT_THE_TOP = [
  ...['audits', 'fixtures', 'scenarios', 'scripts', '.github', '.ci', 'README.md'],
  ...['package.json', 'package-lock.json', '.npmrc', 'tsconfig.json', 'vitest.config.ts', 'biome.json'],
  ...['.editorconfig', '.gitignore', 'stryker.config.json', 'vitest.stryker.config.ts'],
]

/** Below these lie the files of one person or of one machine; `/var`, `/usr` and `/tmp` mean the same everywhere. */
const MACHINE_PATH = /(?<![\w.~/-])(?:\/(?:home|root|Users|work|workspace|mnt)|[A-Z]:\\Users)[\\/]\S*/

const BESIDE_THE_REPOSITORY = /(?<!\.)\.\.\/shared(?![\w.-])/

/** What in these files would hold on one machine only, or does not belong to the product; one line each. */
export function strangers(files: Files): string[] {
  const found: string[] = []
  const tops = new Set([...files.keys()].map((path) => path.split('/')[0] ?? path))
  for (const top of tops) if (!AT_THE_TOP.includes(top)) found.push(`${top} is no part of the product`)
  for (const [path, text] of files) {
    text.split('\n').forEach((line, index) => {
      const machine = MACHINE_PATH.exec(line)
      if (machine) found.push(`${path}:${index + 1} has the path of one machine: ${machine[0]}`)
      if (path !== '.ci/run' && BESIDE_THE_REPOSITORY.test(line))
        found.push(`${path}:${index + 1} leans on a folder beside the repository`)
    })
  }
  return found
}

/** Packages of a lock file that are bound to a host, so that another registry can't serve them. */
export function boundToHost(lockFile: string): string[] {
  const lock: { packages: Record<string, { resolved?: string }> } = JSON.parse(lockFile)
  return Object.entries(lock.packages).flatMap(([path, { resolved }]) =>
    resolved === undefined ? [] : [`${path} is resolved to ${resolved}`],
  )
}
