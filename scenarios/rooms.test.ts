import { resolve } from 'node:path'
import { createVirtualFileSystem } from 'typescript/unstable/fs'
import { describe, expect, test } from 'vitest'
import { readSources } from './support/imports.ts'
import { boundToHost, repositoryFiles, strangers } from './support/repository.ts'
import { wrongArrows } from './support/rooms.ts'

const root = resolve(import.meta.dirname, '..')
const files = repositoryFiles(root)

describe('the arrows between the rooms', () => {
  const sources = readSources(root)

  // The rooms stay apart: the audit can be lifted out and run alone, and no fixture knows what is owed.
  test('every import follows them', () => {
    expect(wrongArrows(sources.imports)).toEqual([
      // Mounts route files by their path, as an engineer mounts those of another app.
      expect.stringMatching(/^fixtures\/app\/app\.ts:\d+ imports something computed/),
      // Loads what it has just kept.
      expect.stringMatching(/^scenarios\/engine\/invent\/invent\.test\.ts:\d+ imports something computed/),
    ])
  })

  // A file that tsconfig.json does not include would be neither type-checked nor judged above.
  test('no source file escapes the reading', () => {
    const code = [...files.keys()].filter((path) => /\.[cm]?[jt]sx?$/.test(path))
    expect(code.length).toBeGreaterThan(10)
    expect(code.filter((path) => !sources.files.includes(path))).toEqual([])
  })

  // A search for lines that start with `import` misses most of these, and takes comments and strings for imports.
  test('each way of importing across a wall is seen, and nothing else', () => {
    const found = wrongArrowsOf({
      'audits/audit.ts': `
        import './session.ts'
        import pg from 'pg'
        import { a } from '../fixtures/a.ts'
        import type { T } from '../fixtures/t.ts'
        export * from '../scenarios/all.ts'
        export { b } from '../scripts/b.ts'
        type U = import('../fixtures/u.ts').U
        const lazy = () => import('../fixtures/lazy.ts')
        const quoted = () => import(\`../fixtures/quoted.ts\`)
        const computed = (name: string) => import(\`../fixtures/\${name}.ts\`)
        // import '../fixtures/comment.ts'
        const text = "import '../fixtures/text.ts'"`,
    })
    expect(found).toEqual([
      'audits/audit.ts:4 imports fixtures/a.ts, which audits may not',
      'audits/audit.ts:5 imports fixtures/t.ts, which audits may not',
      'audits/audit.ts:6 imports scenarios/all.ts, which audits may not',
      'audits/audit.ts:7 imports scripts/b.ts, which audits may not',
      'audits/audit.ts:8 imports fixtures/u.ts, which audits may not',
      'audits/audit.ts:9 imports fixtures/lazy.ts, which audits may not',
      'audits/audit.ts:10 imports fixtures/quoted.ts, which audits may not',
      'audits/audit.ts:11 imports something computed, which nobody can check',
    ])
  })

  // A rule that looks at the first folder only would let scripts into all of scenarios; one that skips tests
  // would let a test beside its code lean on another room.
  test('a room reaches as far as its arrows, tests included', () => {
    const found = wrongArrowsOf({
      'scripts/start.ts': `
        import '../audits/audit.ts'
        import '../fixtures/people.ts'
        import '../scenarios/engine/story.ts'
        import '../scenarios/engineering.ts'
        import '../scenarios/support/test.ts'`,
      'scenarios/engine/story.ts': `
        import '../support/test.ts'
        import '../../audits/audit.ts'
        import '../../scripts/start.ts'`,
      'fixtures/stripe/simulator.test.ts': `
        import '../people.ts'
        import '../../audits/evidence.ts'
        import '../../../elsewhere.ts'
        import '/elsewhere.ts'`,
      'vitest.config.ts': `import './scenarios/support/test.ts'`,
    })
    expect(found.toSorted()).toEqual([
      'fixtures/stripe/simulator.test.ts:3 imports audits/evidence.ts, which fixtures may not',
      'fixtures/stripe/simulator.test.ts:4 imports ../elsewhere.ts, which fixtures may not',
      'fixtures/stripe/simulator.test.ts:5 imports /elsewhere.ts, a path of one machine',
      'scenarios/engine/story.ts:4 imports scripts/start.ts, which scenarios may not',
      'scripts/start.ts:5 imports scenarios/engineering.ts, which scripts may not',
      'scripts/start.ts:6 imports scenarios/support/test.ts, which scripts may not',
      'vitest.config.ts:1 imports scenarios/support/test.ts, which a file outside the rooms may not',
    ])
  })
})

describe('the repository', () => {
  // A fresh clone has this repository and nothing else.
  test('speaks of the product only, and of no one machine', () => {
    expect(strangers(files)).toEqual([])
  })

  test('each kind of stranger is seen', () => {
    const home = ['', 'home', 'ann', 'ledger'].join('/')
    const beside = ['..', 'shared', 'notes.md'].join('/')
    const found = strangers(
      new Map([
        ['audits/audit.ts', `ok\nconst log = '${home}'\n// see https://example.com/home/page`],
        ['fixtures/shared/a.ts', `import '../shared-parts.ts'`],
        ['README.md', `See ${beside}.`],
        ['.ci/run', beside],
        ['notes/plan.md', ''],
      ]),
    )
    expect(found).toEqual([
      'notes is no part of the product',
      `audits/audit.ts:2 has the path of one machine: ${home}'`,
      'README.md:1 leans on a folder beside the repository',
    ])
  })

  // A host in the lock file makes `npm ci` fail wherever that host is not reached.
  test('the lock file names no registry', () => {
    const lockFile = files.get('package-lock.json') ?? ''
    expect(boundToHost(lockFile)).toEqual([])
    const bound = lockFile.replace(
      '"node_modules/pg": {',
      '$& "resolved": "https://registry.example/pg.tgz",',
    )
    expect(boundToHost(bound)).toEqual(['node_modules/pg is resolved to https://registry.example/pg.tgz'])
  })
})

/** Judges a made-up tree, which exists in memory only. */
function wrongArrowsOf(tree: Readonly<Record<string, string>>): string[] {
  const at = '/made-up'
  const config = { compilerOptions: { noLib: true, types: [], module: 'nodenext', noEmit: true } }
  const placed = Object.entries(tree).map(([path, text]) => [`${at}/${path}`, text])
  const fs = createVirtualFileSystem({
    ...Object.fromEntries(placed),
    [`${at}/tsconfig.json`]: JSON.stringify(config),
  })
  return wrongArrows(readSources(at, fs).imports)
}
