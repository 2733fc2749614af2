import { expect } from 'vitest'
import { type Adjustment, adjust } from '../../fixtures/migrations/adjust.ts'
import { type Differences, differences } from '../../fixtures/migrations/differences.ts'
import type { Evidence } from '../../fixtures/migrations/matching.ts'
import type { Line } from '../../fixtures/migrations/mend.ts'
import { toCsv } from '../../fixtures/migrations/reviewed.ts'
import { migrate } from '../../fixtures/migrations/run.ts'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import type { Database } from '../../fixtures/postgres/databases.ts'
import type { Found } from './found.ts'
import { violations } from './violations.ts'

/** Unify, and what must hold of it whatever was found: balances as before, nothing left to do for a second run. */
export async function unify({ url }: Database, found: Found): Promise<void> {
  const balances = await found.balances()
  await migrate(parseTarget(url), 'unify')
  expect(await found.balances()).toEqual(balances)
  const once = await found.everything()
  expect((await migrate(parseTarget(url), 'unify')).nothingToDo).toBe(true)
  expect(await found.everything()).toEqual(once)
}

/**
 * Differences, all lines posted, and what must hold then: only `grant` lines have moved balances, balances and
 * ledger agree, no invariant is violated (minor ones apart), nothing is left to do, the file can't be posted twice.
 * @returns the lines, `effect type tokens key`, by user
 */
export async function mendAll(
  database: Database,
  found: Found,
  evidence?: Evidence,
): Promise<Record<string, string[]>> {
  const target = parseTarget(database.url)
  const before = await found.balances()
  const seen = await differences(target, evidence)
  const csv = Buffer.from(toCsv(seen))
  const adjustment = await adjust(target, csv)
  expect(leftOver(adjustment)).toEqual([])

  const granted = new Set(
    seen.findings
      .filter(({ lines }) => lines.some(({ effect }) => effect === 'grant'))
      .map(({ userId }) => userId),
  )
  const after = await found.balances()
  for (const [user, balance] of before) if (!granted.has(user)) expect(after.get(user), user).toBe(balance)

  expect(await violations(database.url, evidence)).toEqual([])
  expect(linesOf(await differences(target, evidence))).toEqual({})
  if (seen.findings.length > 0) await expect(adjust(target, csv)).rejects.toThrow(/nothing was written/)
  return linesOf(seen)
}

/** The lines by user, as short as they can be told. */
export function linesOf({ findings }: Differences): Record<string, string[]> {
  return Object.fromEntries(findings.map(({ userId, lines }) => [userId, lines.map(told)]))
}

function leftOver({ left }: Adjustment): string[] {
  return [...left.findings.map(({ userId }) => userId), ...left.byHand]
}

function told({ effect, actionType, tokens, grantKey, reverses, corrects, cause }: Line): string {
  if (effect === 'profiles') return 'profiles'
  const about = reverses ? ' (reverses)' : corrects ? ' (corrects)' : ''
  const why = grantKey === 'opening' ? `: ${cause}` : ''
  return `${effect} ${actionType} ${tokens} ${grantKey}${about}${why}`
}
