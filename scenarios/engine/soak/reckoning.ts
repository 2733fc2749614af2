import { DEDUCTIONS, GRANTS } from '../../../audits/action-types.ts'
import type { Entitlement } from '../../../audits/evidence.ts'
import type { LedgerRow, Snapshot } from '../ledger.ts'
import { count } from '../story.ts'
import type { Life } from './life.ts'

/** What is wrong with one user's rows or balance. */
export interface Wrong {
  readonly text: string
  readonly userId: string
}

/** The ledger against what is owed, counted without any invariant. */
export interface Reckoning {
  /** Rows that grant or take back by a fact, and the tokens that were granted. */
  readonly grants: number
  readonly tokens: bigint
  readonly lost: readonly Wrong[]
  readonly doubled: readonly Wrong[]
  /** Balances that are not the sum of their user's deltas. */
  readonly balances: readonly Wrong[]
}

/** Compares what is owed to these users, and what they used, with what the ledger holds at the end. */
export function reckon(
  owed: readonly Entitlement[],
  lives: readonly Life[],
  { rows, profiles }: Snapshot,
): Reckoning {
  const ledger = rows.filter(({ table }) => table === 'token_usage')
  const moved = ledger.filter(({ type, key }) => BY_FACT.has(type) && !key?.endsWith(':reset'))
  const facts = pair(
    owed.map(({ user_id, action_type, tokens, grant_key }) => ({
      userId: user_id,
      name: nameOf(user_id, action_type, BigInt(tokens), grant_key),
      isCertain: true,
    })),
    moved,
  )
  const uses = pair(
    lives.flatMap(({ userId, uses: used }) =>
      used.map(({ act, isTaken }) => ({
        userId,
        name: nameOf(userId, act.action, act.tokens, null),
        isCertain: isTaken,
      })),
    ),
    ledger.filter(({ type }) => !BY_FACT.has(type)),
  )
  return {
    grants: moved.length,
    tokens: moved.filter(({ type }) => GRANTED.has(type)).reduce((sum, { tokens }) => sum + tokens, 0n),
    lost: [...facts.missing, ...uses.missing],
    doubled: [...facts.surplus, ...uses.surplus],
    balances: wrongBalances(ledger, profiles),
  }
}

const GRANTED: ReadonlySet<string> = new Set(GRANTS)
const BY_FACT: ReadonlySet<string> = new Set([...GRANTS, ...DEDUCTIONS])

/** Under which a row and what it is for are one. */
function nameOf(userId: string, type: string, tokens: bigint, key: string | null): string {
  return `${type} of ${count(tokens)} to user ${userId}${key === null ? '' : ` for ${key}`}`
}

interface Expected {
  readonly userId: string
  readonly name: string
  /** Else it may be there or not. */
  readonly isCertain: boolean
}

/** What has no row, and rows that nothing stands for, or something that has a row already. */
function pair(
  expected: readonly Expected[],
  rows: readonly LedgerRow[],
): { missing: Wrong[]; surplus: Wrong[] } {
  const unpaired = new Map<string, number>()
  for (const { userId, type, tokens, key } of rows) {
    const name = nameOf(userId, type, tokens, key)
    unpaired.set(name, (unpaired.get(name) ?? 0) + 1)
  }
  const missing: Wrong[] = []
  for (const { userId, name, isCertain } of expected) {
    const there = unpaired.get(name) ?? 0
    if (there > 0) unpaired.set(name, there - 1)
    else if (isCertain) missing.push({ userId, text: `owed, and not in token_usage: ${name}` })
  }
  const surplus = rows.flatMap(({ userId, type, tokens, key }) => {
    const name = nameOf(userId, type, tokens, key)
    const left = unpaired.get(name) ?? 0
    if (left === 0) return []
    unpaired.set(name, left - 1)
    return [{ userId, text: `in token_usage, and not owed, or not again: ${name}` }]
  })
  return { missing, surplus }
}

function wrongBalances(ledger: readonly LedgerRow[], profiles: Snapshot['profiles']): Wrong[] {
  const sums = new Map<string, bigint>()
  for (const { userId, delta } of ledger) sums.set(userId, (sums.get(userId) ?? 0n) + (delta ?? 0n))
  return profiles
    .filter(({ userId, balance }) => balance !== (sums.get(userId) ?? 0n))
    .map(({ userId, profile, balance }) => ({
      userId,
      text: `the ${profile} profile of user ${userId} has ${count(balance)}, and its deltas sum up to ${count(sums.get(userId) ?? 0n)}`,
    }))
}
