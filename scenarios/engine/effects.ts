import { changesBetween, type LedgerRow, type Snapshot } from './ledger.ts'
import { count, type ExpectedRow, type KeyKind, type Step } from './story.ts'
import { naming, renderRow } from './timeline.ts'

/** The ids of the facts that a step brought about: what its rows' grant keys must name. */
export type Subjects = Readonly<Partial<Record<'checkout_session' | 'invoice' | 'trial' | 'admin', string>>>

export interface StepOutcome {
  readonly step: Step
  readonly before: Snapshot
  readonly after: Snapshot
  readonly subjects: Subjects
  /** The users by the names that the story gives them. */
  readonly users: ReadonlyMap<string, string>
  /** What everybody of the story has to have now. */
  readonly balances: ReadonlyMap<string, bigint>
}

/**
 * What is not as the step tells it, a line each; empty when all is. Looks at the whole ledger: a row of somebody else,
 * a changed row and a profile of nobody in the story are complaints too.
 */
export function complaintsAbout(outcome: StepOutcome): string[] {
  const { step, before, after, subjects, users, balances } = outcome
  const names = new Map([...users].map(([name, userId]) => [userId, name]))
  const nameOf = naming(names)
  const { added, altered, balances: moved } = changesBetween(before, after)

  const complaints = altered.map((row) => `changed or gone: ${renderRow(row, nameOf)}`)
  const found = added.filter(({ table }) => table === 'token_usage')
  for (const wanted of step.rows) {
    const index = found.findIndex((row) => isAsTold(row, wanted, subjects, users))
    if (index < 0) complaints.push(`missing: ${renderExpected(wanted, subjects)}`)
    else found.splice(index, 1)
  }
  complaints.push(...found.map((row) => `not told: ${renderRow(row, nameOf)}`))

  for (const [name, balance] of balances) {
    for (const row of after.profiles.filter(({ userId }) => userId === users.get(name))) {
      if (row.balance === balance) continue
      const whose = row.profile === 'active' ? name : `${name}'s ${row.profile} profile`
      complaints.push(`${whose} should have ${count(balance)}, but has ${count(row.balance)}`)
    }
  }
  const strangers = moved.filter(({ userId }) => !names.has(userId))
  complaints.push(...strangers.map(({ userId }) => `the balance of ${nameOf(userId)} moved`))
  return complaints
}

/**
 * The same of a whole story that was told in another order than its own: every row that it tells is there once, and no
 * other. What a reset or a deduction moved depends on the order, so that is not compared; the ledger's invariants hold
 * it to the balances.
 */
export function complaintsAboutEnd({
  told,
  before,
  after,
  users,
}: {
  readonly told: readonly { readonly step: Step; readonly subjects: Subjects }[]
  readonly before: Snapshot
  readonly after: Snapshot
  readonly users: ReadonlyMap<string, string>
}): string[] {
  const nameOf = naming(new Map([...users].map(([name, userId]) => [userId, name])))
  const { added, altered } = changesBetween(before, after)
  const complaints = altered.map((row) => `changed or gone: ${renderRow(row, nameOf)}`)
  const found = added.filter(({ table, key }) => table === 'token_usage' && !key?.endsWith(':reset'))
  for (const { step, subjects } of told) {
    for (const wanted of step.rows.filter(({ key }) => key !== 'invoice:reset')) {
      const index = found.findIndex(
        (row) =>
          row.userId === users.get(wanted.who) &&
          row.type === wanted.type &&
          row.tokens === wanted.tokens &&
          row.key === keyOf(wanted.key, subjects),
      )
      if (index < 0) complaints.push(`missing: ${renderExpected(wanted, subjects)}`)
      else found.splice(index, 1)
    }
  }
  return [...complaints, ...found.map((row) => `not told: ${renderRow(row, nameOf)}`)]
}

function isAsTold(
  row: LedgerRow,
  wanted: ExpectedRow,
  subjects: Subjects,
  users: ReadonlyMap<string, string>,
): boolean {
  return (
    row.userId === users.get(wanted.who) &&
    row.type === wanted.type &&
    row.tokens === wanted.tokens &&
    row.delta === wanted.delta &&
    row.key === keyOf(wanted.key, subjects)
  )
}

/** undefined, which no row has, where the step brought about no such fact. */
function keyOf(kind: KeyKind | null, subjects: Subjects): string | null | undefined {
  if (kind === null) return null
  if (kind === 'invoice:reset') return subjects.invoice && `invoice:${subjects.invoice}:reset`
  return subjects[kind] && `${kind}:${subjects[kind]}`
}

function renderExpected(wanted: ExpectedRow, subjects: Subjects): string {
  const { who, type, tokens, delta, key } = wanted
  const moves = delta === tokens || delta === -tokens ? '' : `, moving ${count(delta)}`
  const under = key === null ? '' : ` (${keyOf(key, subjects) ?? `${key} of this step`})`
  return `${type} ${count(tokens)} of ${who}${moves}${under}`
}
