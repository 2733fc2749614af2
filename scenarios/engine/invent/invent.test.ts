import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, onTestFinished } from 'vitest'
import { mutantNamed, prepareMutant } from '../../../fixtures/app/mutants.ts'
import { test } from '../../support/test.ts'
import { Arena } from '../explore/arena.ts'
import { IN_ORDER } from '../plan.ts'
import type { Regression } from '../regression.ts'
import { STORIES } from '../stories.ts'
import type { Story } from '../story.ts'
import { seenAsFound } from './as-found.ts'
import { Books, isMadeUp } from './books.ts'
import { ideas, steps, storyOf } from './ideas.ts'
import { invent } from './invent.ts'
import { checkName, keep } from './keep.ts'
import { constantOf, renderScenario } from './scenario-file.ts'

const ROOT = resolve(import.meta.dirname, '../../..')

/** Some stories, always the same. */
const made: readonly Story[] = fc
  .sample(fc.tuple(ideas, steps), { seed: 5, numRuns: 40 })
  .map(([some, most], index) => storyOf(some, { name: `made-${index}`, steps: most }))
  .filter((story) => story.steps.length > 0)

/** Where regressions are kept, somewhere else: what they import is there. */
async function emptyPlace(): Promise<string> {
  const ground = await mkdtemp(join(tmpdir(), 'invent-'))
  onTestFinished(() => rm(ground, { recursive: true }))
  const directory = join(ground, 'scenarios/regressions')
  await mkdir(directory, { recursive: true })
  for (const there of ['package.json', 'node_modules', 'audits', 'fixtures', 'scenarios/engine']) {
    await symlink(join(ROOT, there), join(ground, there))
  }
  return directory
}

async function load(directory: string, name: string): Promise<Regression> {
  const file = await import(pathToFileURL(join(directory, `${name}.ts`)).href)
  return file[constantOf(name)]
}

describe('the books', () => {
  const plain = STORIES.filter(({ steps }) =>
    steps.every(
      ({ act, answer }) => isMadeUp(act) && !(act.do === 'admin' && act.settles !== null) && answer === '2xx',
    ),
  )

  // A model that shares a mistake with the app finds nothing: what people wrote by hand is its measure.
  test('tell each story as it is told by hand', () => {
    expect(plain.length).toBeGreaterThan(30)
    for (const { name, steps, minor } of plain) {
      const books = new Books()
      for (const { act, rows, balances } of steps) {
        const booked = books.book(act)
        expect(booked.rows, name).toEqual(rows)
        for (const [who, balance] of Object.entries(balances))
          expect(books.of(who).balance, name).toBe(balance)
      }
      expect(books.minor, name).toEqual([...minor].sort())
    }
  })
})

describe('made-up stories', () => {
  // Ideas that can never be had would leave what they stand for untested, and nobody would see it.
  test('have everything in them that people do at Stripe and in the app', () => {
    const some = fc.sample(fc.tuple(ideas, steps), { seed: 5, numRuns: 200 })
    const done = some.flatMap(([some, most]) =>
      storyOf(some, { name: 'some', steps: most }).steps.map(({ act }) => act.do),
    )
    const told = STORIES.flatMap((story) => story.steps.flatMap(({ act }) => (isMadeUp(act) ? [act.do] : [])))
    expect([...new Set(done)].sort()).toEqual([...new Set(told)].sort())
  })

  // A word that is printed wrong would keep another story than the one that failed.
  test('are printed in words that tell the same story', async () => {
    const directory = await emptyPlace()
    for (const story of made) {
      const text = renderScenario({ story, plan: IN_ORDER, complaints: ['some'] })
      await writeFile(join(directory, `${story.name}.ts`), text)
      expect((await load(directory, story.name)).story).toEqual(story)
    }
  })

  // A fixed few of what `npm run invent` plays; other seeds find more.
  test('are as told by the repaired app, in order and by drawn plans', async ({ database }) => {
    const arena = await Arena.open((await database('unified')).url, 'repaired')
    try {
      const found = await invent(arena, { seed: 3, stories: 6, name: 'invented', faults: true })
      expect(found.failure?.run.complaints ?? []).toEqual([])
      expect(found.runs).toBeGreaterThan(found.stories)
    } finally {
      await arena.close()
    }
  })
})

describe('a failure', () => {
  // Would catch: a story that is not made smaller, a path that plays another one, a kept file that does not type-check,
  // or that is as told by whatever app.
  test('becomes a small regression, red on the app that has the defect and green on the repaired one', async ({
    database,
    databases,
  }) => {
    const { appDirectory, remove } = await prepareMutant(await mutantNamed('pack-quantity-ignored'))
    onTestFinished(remove)
    const broken = await Arena.open((await database('unified')).url, appDirectory)
    onTestFinished(() => broken.close())
    const wanted = { seed: 3, name: 'two-packs-are-two', faults: true }

    const { failure } = await invent(broken, { ...wanted, stories: 20 })
    if (failure === undefined) throw new Error('the mutant was not found')
    const { story, plan } = failure.run.performance
    expect(story.steps.map(({ act }) => act)).toMatchObject([
      { do: 'buy-pack', who: 'ann', pack: 'power', pay: 'card', quantity: 2, invoiced: false },
    ])
    expect(plan).toEqual(IN_ORDER)
    const again = await invent(broken, { ...wanted, stories: 1, path: failure.path })
    expect(again.failure?.run.performance.story).toEqual(story)

    const asFound = await seenAsFound(databases, story)
    expect(asFound.red).toEqual(['grant-size-as-owed'])
    const { complaints } = failure.run
    const directory = await emptyPlace()
    const text = renderScenario({ story: { ...story, asFound }, plan, complaints })
    await keep(story.name, text, directory)
    expect(await typeErrors(directory)).toBe('')

    const kept = await load(directory, story.name)
    expect(kept).toEqual({ story: { ...story, asFound }, plan })
    expect((await broken.run(kept.story, kept.plan)).complaints).toEqual(complaints)
    const repaired = await Arena.open((await database('unified')).url, 'repaired')
    onTestFinished(() => repaired.close())
    expect((await repaired.run(kept.story, kept.plan)).complaints).toEqual([])
  })

  // A name that is taken would replace a story that somebody wrote, or make two that nobody can tell apart.
  test('is kept under a name of its own, on the list of all that are kept', async () => {
    const directory = await emptyPlace()
    const [one, other] = made
    if (one === undefined || other === undefined) throw new Error('too few stories')
    for (const story of [other, one]) {
      await keep(story.name, renderScenario({ story, plan: IN_ORDER, complaints: [] }), directory)
    }
    expect(await readdir(directory)).toEqual(['index.ts', `${one.name}.ts`, `${other.name}.ts`])
    const index = await readFile(join(directory, 'index.ts'), 'utf8')
    expect(index).toContain(`[${constantOf(one.name)}, ${constantOf(other.name)}]`)

    const before = await readFile(join(directory, `${one.name}.ts`), 'utf8')
    await expect(keep(one.name, 'other', directory)).rejects.toThrow('is there already')
    expect(await readFile(join(directory, `${one.name}.ts`), 'utf8')).toBe(before)
    await expect(checkName('pack-paid', directory)).rejects.toThrow('there is a story of this name already')
    for (const name of ['Pack', 'pack_lost', '../pack', '', 'index']) {
      await expect(checkName(name, directory), name).rejects.toThrow('in kebab case')
    }
  })
})

/** What tsc says of the regressions in a directory. */
async function typeErrors(directory: string): Promise<string> {
  const config = join(directory, 'tsconfig.json')
  await writeFile(
    config,
    JSON.stringify({
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: { typeRoots: [join(ROOT, 'node_modules/@types')] },
      include: ['*.ts'],
    }),
  )
  const tsc = promisify(execFile)(join(ROOT, 'node_modules/.bin/tsc'), ['--project', config])
  return tsc.then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  )
}
