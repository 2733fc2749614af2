// The breaks on the schema of SCHEMA: healthy rows in it are green, and each fault turns its invariants red.
import { join } from 'node:path'
import { describe } from 'vitest'
import { readBreaks } from '../../audits/catalogue.ts'
import { killMatrixOn } from '../engine/matrix-on.ts'
import { allRules } from '../engine/outcome.ts'
import { test } from '../support/test.ts'
import { given } from './given.ts'

const { schema, template } = await given()
const catalogue = await allRules()
const breaks = await readBreaks(join(import.meta.dirname, '../../audits/breaks'), catalogue)

describe(`the breaks on ${schema.path}, stage ${template.notes.stage}`, () => {
  test('turn their invariants red, on rows that are green before', async ({ databases, expect }) => {
    const { red, kills } = await killMatrixOn(databases, template, { catalogue, breaks })
    const held = kills.filter(({ refusedBy }) => refusedBy !== undefined)
    for (const { break: fault, refusedBy } of held) {
      console.log(`the database itself refuses ${fault.id}: ${refusedBy}`)
    }
    expect(red).toEqual([])
    const judged = kills.filter(({ refusedBy }) => refusedBy === undefined)
    expect(
      judged.flatMap(({ break: fault, complaints }) => complaints.map((one) => `${fault.id}: ${one}`)),
    ).toEqual([])
  }, 120_000)
})
