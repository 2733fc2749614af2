import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { makeGround, readMutants, writeApp } from '../fixtures/app/mutants.ts'

/** The last part of `npm run check`: one that tsc sees is no defect that anybody would ship. */

const ROOT = join(import.meta.dirname, '..')

const ground = await makeGround()
try {
  const mutants = (await readMutants()).filter(({ kind }) => kind === 'app')
  await Promise.all(mutants.map((mutant) => writeApp(ground, mutant)))
  await writeFile(
    join(ground, 'tsconfig.json'),
    JSON.stringify({
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: {
        noUnusedLocals: false,
        noUnusedParameters: false,
        typeRoots: ['node_modules/@types'],
      },
      include: mutants.map(({ name }) => name),
    }),
  )
  await promisify(execFile)(join(ROOT, 'node_modules/.bin/tsc'), ['--project', ground], { cwd: ground })
  console.log(`Type-checked ${mutants.length} mutants of the app.`)
} catch (error) {
  // What tsc says is on its standard output, each line with the mutant's name.
  const said = error instanceof Error && 'stdout' in error ? `${error.stdout}` : ''
  console.error(`check-mutants: ${said || String(error)}`)
  process.exitCode = said === '' ? 2 : 1
} finally {
  await rm(ground, { recursive: true })
}
