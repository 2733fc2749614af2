// The stories on the schema of SCHEMA. What has no meaning there is a test that is skipped, with the reason.

import { describe, inject } from 'vitest'
import { appFor, renderInstalled, renderLeft, rulesFor, withoutMeaning } from '../engine/given-schema.ts'
import { allRules } from '../engine/outcome.ts'
import { PLANS, printPlan } from '../engine/plan.ts'

import { STORIES } from '../engine/stories.ts'
import { playAndJudge } from '../support/tell-stories.ts'
import { test } from '../support/test.ts'
import { given } from './given.ts'

const { schema, template } = await given()
const installed = template.notes
const app = appFor(installed.stage)
for (const line of renderInstalled(schema, installed)) console.log(line)

describe(`the stories on ${schema.path}, stage ${installed.stage}`, () => {
  test('have rules to be judged by', async ({ database, expect }) => {
    const { catalogue, left } = await rulesFor(await allRules(), (await database(template)).url, installed)
    for (const line of renderLeft(left)) console.log(line)
    expect(catalogue.invariants.length).toBeGreaterThan(0)
  })

  for (const story of STORIES) {
    const why = withoutMeaning(story, installed)
    for (const plan of PLANS) {
      test(`${story.name}, ${printPlan(plan)}: ${story.title}`, async ({ database, skip }) => {
        if (why !== undefined) skip(`no meaning on this schema: ${why}`)
        const { url } = await database(template)
        const { catalogue } = await rulesFor(await allRules(), url, installed)
        await playAndJudge(story, { url, app, plan, catalogue, stripeMockUrl: inject('stripeMockUrl') })
      })
    }
  }
})
