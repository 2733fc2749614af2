import { join } from 'node:path'
import { describe, expect } from 'vitest'
import { type Break, readBreaks, readCatalogue } from '../audits/catalogue.ts'
import { applyBreak, healthyDatabases, judgeHealthy, redOf, unjudged } from './engine/kill-matrix.ts'
import { test } from './support/test.ts'

const audits = join(import.meta.dirname, '../audits')
const catalogue = await readCatalogue(join(audits, 'invariants'))
const breaks = await readBreaks(join(audits, 'breaks'), catalogue)

describe('a healthy database', () => {
  // A rule that flags a healthy ledger, or that has nothing to look at and is green for that.
  test.for(['as-found', 'view', 'unify'] as const)(
    'of stage %s is green in every rule, and each had something to look at',
    async (stage, { databases, expect }) => {
      const template = (await healthyDatabases(databases))[stage]
      if (template === undefined) throw new Error('no template')
      const database = await databases.createFrom(template)
      const report = await judgeHealthy(database.url, catalogue, template.notes)
      await database.drop()
      expect(redOf(report)).toEqual([])
      expect(unjudged(report)).toEqual([])
      expect(report.exit).toBe(0)
    },
  )
})

describe('a break', () => {
  // A rule that never fails proves nothing; one that fails for another fault, or names somebody else, misleads.
  test.for(breaks.map((fault): [string, Break] => [`${fault.id}: ${fault.title}`, fault]))(
    '%s',
    async ([, fault], { databases, expect }) => {
      const healthy = await healthyDatabases(databases)
      const kills = await applyBreak(fault, { databases, healthy, catalogue })
      expect(kills.flatMap(({ complaints }) => complaints)).toEqual([])
    },
  )

  test('exists for every invariant', () => {
    const red = new Set(breaks.flatMap(({ turnsRed }) => turnsRed))
    expect(catalogue.invariants.map(({ id }) => id).filter((id) => !red.has(id))).toEqual([])
  })
})
