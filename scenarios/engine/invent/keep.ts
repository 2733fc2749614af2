import { execFile } from 'node:child_process'
import { access, readdir, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { UsageError } from '../../../fixtures/postgres/usage-error.ts'
import { STORIES } from '../stories.ts'
import { constantOf } from './scenario-file.ts'

const ROOT = join(import.meta.dirname, '../../..')
export const REGRESSIONS = join(ROOT, 'scenarios/regressions')
const INDEX = 'index.ts'

/** Throws UsageError for a name under which nothing can be kept. */
export async function checkName(name: string, directory = REGRESSIONS): Promise<void> {
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name) || `${name}.ts` === INDEX) {
    throw new UsageError(`--keep "${name}": give a name in kebab case, like pack-lost-when-late`)
  }
  if (STORIES.some((story) => story.name === name)) {
    throw new UsageError(`--keep ${name}: there is a story of this name already; give another name`)
  }
  const file = join(directory, `${name}.ts`)
  const isThere = await access(file).then(
    () => true,
    () => false,
  )
  if (isThere)
    throw new UsageError(`--keep ${name}: ${relative(ROOT, file)} is there already; give another name`)
}

/**
 * Writes a scenario file, formatted as all of the repository is, and puts it on the list of those that are kept. Never
 * over a file that is there. Returns the file's path.
 */
export async function keep(name: string, text: string, directory = REGRESSIONS): Promise<string> {
  await checkName(name, directory)
  const file = join(directory, `${name}.ts`)
  await writeFile(file, await formatted(text), { flag: 'wx' })
  const names = (await readdir(directory))
    .filter((one) => one.endsWith('.ts') && one !== INDEX)
    .map((one) => one.slice(0, -'.ts'.length))
    .sort()
  await writeFile(join(directory, INDEX), await formatted(renderIndex(names)))
  return file
}

function renderIndex(names: readonly string[]): string {
  return `import type { Regression } from '../engine/regression.ts'
${names.map((name) => `import { ${constantOf(name)} } from './${name}.ts'`).join('\n')}

/** Every regression that is kept here: \`npm run invent -- … --keep NAME\` writes this list. */
export const regressions: readonly Regression[] = [${names.map(constantOf).join(', ')}]
`
}

/** TypeScript as `npm run check` wants it. Throws with Biome's own words. */
export function formatted(text: string): Promise<string> {
  const biome = join(ROOT, 'node_modules/@biomejs/biome/bin/biome')
  const args = [biome, 'check', '--write', '--stdin-file-path=scenarios/regressions/some.ts']
  return new Promise((resolve, reject) => {
    const child = execFile(process.execPath, args, { cwd: ROOT }, (error, stdout, stderr) => {
      if (error) reject(new Error(`Biome can't format the story:\n${stderr}`))
      else resolve(stdout)
    })
    child.stdin?.end(text)
  })
}
