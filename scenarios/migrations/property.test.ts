import fc from 'fast-check'
import { describe, expect } from 'vitest'
import { retire } from '../../fixtures/migrations/retire.ts'
import { migrate } from '../../fixtures/migrations/run.ts'
import { parseTarget, type Target } from '../../fixtures/migrations/target.ts'
import { undo } from '../../fixtures/migrations/undo.ts'
import { isVerified, verify } from '../../fixtures/migrations/verify.ts'
import { test } from '../support/test.ts'
import { Books } from './books.ts'
import { Cuts } from './cuts.ts'
import { Deeds } from './deeds.ts'
import {
  balances,
  changesNothing,
  ledgerIsOwed,
  oneCounterpartEach,
  onlyThePlantedIsFound,
  pastIsKept,
  tables,
} from './held.ts'
import { INSTALLS, type Install } from './installs.ts'
import { type Act, type History, histories } from './legacy-histories.ts'

const SEED = 17
/** Of each install. One is some twenty movements and half a dozen commands; to look further, write more here. */
const HISTORIES = 1
/** To look for a smaller history that fails too. */
const SHRINK_MS = 60_000

describe.for(INSTALLS.map((install, i) => ({ ...install, seed: SEED + i })))(
  'random histories of an install $name',
  (install) => {
    // Would catch: a movement of both tables that is copied beside itself, one that is linked with another, a row that is
    // passed over, a sign that is believed, a time or an order that is lost, a key that a way back forgets, an act of the
    // app that is refused or falls between two runs, a kill after which something is done twice.
    test('come to one ledger that has each movement once, however often the road is cut, taken back and walked again', async ({
      databases,
    }) => {
      await fc.assert(
        fc.asyncProperty(histories, async (history) => {
          const database = await databases.createAny('as-found')
          try {
            await walk(database.url, install, history)
          } finally {
            await database.drop()
          }
        }),
        { seed: install.seed, numRuns: HISTORIES, interruptAfterTimeLimit: SHRINK_MS },
      )
    }, 90_000)
  },
)

async function walk(url: string, install: Install, history: History): Promise<void> {
  const target = parseTarget(url)
  const books = await Books.open(url, install.sql, history.users)
  try {
    const deeds = new Deeds(books)
    for (const [minute, deed] of history.past.entries()) await deeds.past(deed, minute)
    const past = await tables(books.db)
    const cuts = await Cuts.into(books.db)
    for (const act of history.acts) {
      if (act.run === 'app') await deeds.now(act.live)
      else await cuts.during(act.cutAt, () => run(act, target, deeds))
      expect(await balances(books.db)).toEqual(books.balances)
    }
    await cuts.removed()

    await migrate(target, 'unify')
    await changesNothing(books, () => migrate(target, 'unify'))
    await ledgerIsOwed(books)
    await oneCounterpartEach(books)
    await pastIsKept(books, past)
    await onlyThePlantedIsFound(books, url)

    const { unmatched, ...verification } = await verify(target)
    const undecided = books.legacy.flatMap(({ id, fate }) => (fate === 'undecided' ? id : []))
    expect(unmatched.map(({ sourceId }) => sourceId).sort()).toEqual(undecided.sort())
    expect(verification).toMatchObject({ sumsOff: [], refusedTypes: [] })
    await books.decide()
    expect(isVerified(await verify(target))).toBe(true)
    if (history.retired === undefined) return

    const rows = BigInt(books.legacy.length)
    expect(await retire(target)).toMatchObject({ rows, nothingToDo: false })
    expect(await retire(target)).toMatchObject({ rows, nothingToDo: true })
    for (const live of history.retired) await deeds.now(live)
    await ledgerIsOwed(books)
    await pastIsKept(books, past)
    expect(await undo(target, 'retire')).toBe(true)
    expect(isVerified(await verify(target))).toBe(true)
    await changesNothing(books, () => migrate(target, 'unify'))
    await ledgerIsOwed(books)
    await oneCounterpartEach(books)
  } finally {
    await books.close()
  }
}

async function run(act: Exclude<Act, { run: 'app' }>, target: Target, deeds: Deeds): Promise<void> {
  if (act.run === 'undo') await undo(target, 'unify')
  else if (act.run === 'view') await migrate(target, 'view')
  else {
    const meanwhile = [...act.meanwhile]
    const report = async () => {
      const live = meanwhile.shift()
      if (live) await deeds.now(live)
    }
    await migrate(target, 'unify', { batchRows: act.batchRows, report })
  }
}
