import { describe, expect, test } from 'vitest'
import { type StageFacts, stageOf } from './stage.ts'

const AS_FOUND: StageFacts = { recorded: null, usage: true, grantKey: false, ledger: false, legacy: true }
const VIEW: StageFacts = { ...AS_FOUND, recorded: ['view'], ledger: true }
const UNIFY: StageFacts = { ...VIEW, recorded: ['unify', 'view'], grantKey: true }
const RETIRED: StageFacts = { ...UNIFY, recorded: ['retired', 'unify', 'view'], legacy: false }

describe('the stage', () => {
  test.for([
    ['as-found', AS_FOUND],
    ['as-found', { ...AS_FOUND, recorded: [] }],
    ['view', VIEW],
    ['unify', UNIFY],
    ['retired', RETIRED],
  ] as const)('is %s where record and structure agree', ([stage, facts]) => {
    expect(stageOf(facts)).toEqual({ stage })
  })

  // A migration that was rolled back by half must not turn into a shorter list of rules, and a green night.
  test.for([
    ['the view is gone', { ...VIEW, ledger: false }, 'view public.token_ledger is missing'],
    ['the column is gone', { ...UNIFY, grantKey: false }, 'column public.token_usage.grant_key is missing'],
    ['the view is gone after unify', { ...UNIFY, ledger: false }, 'view public.token_ledger is missing'],
    [
      'the column is there, its record is not',
      { ...VIEW, grantKey: true },
      "says 'view', but column public.token_usage.grant_key is there",
    ],
    [
      'everything is there, the records are not',
      { ...UNIFY, recorded: [] },
      'records no stage, but view public.token_ledger is there',
    ],
    ['the view is there, the table of records is not', { ...AS_FOUND, ledger: true }, 'records no stage'],
    [
      'the retired table is still there',
      { ...RETIRED, legacy: true },
      'table public.token_transactions is there',
    ],
    [
      'a stage is recorded that nobody knows',
      { ...UNIFY, recorded: ['unify', 'merge'] },
      'does not know: merge',
    ],
    [
      'the beginning is recorded as a stage',
      { ...VIEW, recorded: ['as-found', 'view'] },
      'does not know: as-found',
    ],
    ['the database is another one', { ...AS_FOUND, usage: false }, 'is this the database of the app?'],
  ] as const)("can't be told when %s", ([, facts, why]) => {
    expect(stageOf(facts)).toEqual({ unclear: expect.stringContaining(why) })
  })
})
