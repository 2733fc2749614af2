import type { Catalogue } from '../../../audits/catalogue.ts'
import { TABLES } from './columns.ts'
import type { DataFault } from './faults.ts'
import { HARMLESS, type Harmless } from './harmless.ts'
import { isUnseen, type Tried, type TryOptions, tryFaults } from './try-faults.ts'
import type { World } from './worlds.ts'

/** A column and a kind of fault: what became of it in all rows of all ledgers. */
export interface Cell {
  readonly column: string
  readonly kind: string
  /** How often a rule saw it; `byEvidence`: only a rule that needs evidence. */
  readonly caught: number
  readonly byEvidence: number
  readonly refused: number
  readonly unseen: number
  /** Ended with "could not judge". */
  readonly unjudged: number
  /** Rules and constraints that caught it, the most frequent first. */
  readonly by: readonly string[]
  /** Why those that nobody sees do no harm. */
  readonly reasons: readonly string[]
}

/** How many ledgers are broken at a time; each keeps one session of the server busy. */
const AT_ONCE = 2

/**
 * Tries every fault in every ledger; of each column and kind that nobody sees somewhere, the audit itself is asked once.
 *
 * @param done is told how many ledgers are through
 */
export async function tryEverywhere(
  worlds: readonly World[],
  options: Omit<TryOptions, 'confirm'>,
  done: (ledgers: number) => void = () => {},
): Promise<readonly Tried[]> {
  const asked = new Set<string>()
  const confirm = (one: Tried) => {
    const cell = `${one.fault.column} ${one.fault.kind}`
    if (!isUnseen(one) || asked.has(cell)) return false
    asked.add(cell)
    return true
  }
  const tried: (readonly Tried[])[] = []
  const left = [...worlds.entries()]
  let through = 0
  const work = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [at, world] = next
      tried[at] = await tryFaults(world, { ...options, confirm })
      done(++through)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return tried.flat()
}

/** One cell a column and kind, in the order of the tables, and of the columns that were tried first. */
export function matrixOf(tried: readonly Tried[], { invariants }: Catalogue): readonly Cell[] {
  const needsEvidence = new Set(invariants.filter((rule) => rule.needsEvidence).map(({ id }) => id))
  const cells = Map.groupBy(tried, ({ fault: { column, kind } }) => `${column}\n${kind}`)
  const inOrder = [...cells.values()].sort(([a], [b]) => tableOf(a as Tried) - tableOf(b as Tried))
  return inOrder.map((all) => {
    const { column, kind } = (all[0] as Tried).fault
    const caught = all.filter((one) => one.fate.is === 'judged' && !isUnseen(one))
    return {
      column,
      kind,
      caught: caught.length,
      byEvidence: caught.filter((one) => whoCaught(one).every((id) => needsEvidence.has(id))).length,
      refused: all.filter(({ fate }) => fate.is === 'refused').length,
      unseen: all.filter(isUnseen).length,
      unjudged: all.filter(({ fate }) => fate.is === 'unjudged').length,
      by: mostFrequent(all.flatMap(whoCaught)),
      reasons: mostFrequent(all.filter(isUnseen).flatMap(({ fault }) => reasonFor(fault))),
    }
  })
}

/** The place of the table that a fault is in. */
function tableOf({ fault: { column } }: Tried): number {
  return Object.keys(TABLES).indexOf(column.split('.', 1)[0] ?? '')
}

function reasonFor(fault: DataFault): readonly string[] {
  return HARMLESS.filter((entry) => covers(entry, fault))
    .map(({ reason }) => reason)
    .slice(0, 1)
}

/** Rules that turned red, or the constraint that refused. */
function whoCaught({ fate }: Tried): readonly string[] {
  if (fate.is === 'judged') return fate.red
  return fate.is === 'refused' ? [fate.by] : []
}

function mostFrequent(names: readonly string[]): string[] {
  const groups = [...Map.groupBy(names, (name) => name).entries()]
  return groups.sort(([, a], [, b]) => b.length - a.length).map(([name]) => name)
}

/**
 * What is not as the list of harmless faults says, a line each: an unseen fault without a reason, a reason for what is
 * caught, and, where every ledger was tried, a reason for nothing.
 */
export function complaintsAbout(
  tried: readonly Tried[],
  { harmless = HARMLESS, everywhere }: { harmless?: readonly Harmless[]; everywhere: boolean },
): readonly string[] {
  const covered = harmless.map((entry) => ({
    entry,
    tried: tried.filter(({ fault }) => covers(entry, fault)),
  }))
  const excused = new Set(covered.flatMap((one) => one.tried))
  return [
    ...tried
      .filter(({ fate }) => fate.is === 'unjudged')
      .map(
        ({ world, fault, fate }) => `could not be judged: ${fault.name} in ${world}: ${JSON.stringify(fate)}`,
      ),
    ...tried
      .filter((one) => isUnseen(one) && !excused.has(one))
      .map(
        ({ world, fault }) =>
          `nobody sees ${fault.name} in ${world}, and no reason says why that does no harm`,
      ),
    ...covered.flatMap(({ entry, tried: of }) => {
      const caught = of.find((one) => !isUnseen(one))
      const unseen = of.some(isUnseen)
      if (caught !== undefined && entry.sometimes !== true) {
        return `${say(entry)} is said to be harmless, and ${caught.fault.name} in ${caught.world} is caught by ${whoCaught(caught).join(', ')}`
      }
      if (everywhere && !unseen) return `${say(entry)} is said to be harmless, and nothing of it is unseen`
      if (everywhere && entry.sometimes === true && caught === undefined) {
        return `${say(entry)} is said to be caught at times, and never is`
      }
      return []
    }),
  ]
}

function covers({ column, kinds = ['*'], rows = ['*'] }: Harmless, fault: DataFault): boolean {
  return matches([column], fault.column) && matches(kinds, fault.kind) && matches(rows, fault.rowKind)
}

function matches(patterns: readonly string[], text: string): boolean {
  return patterns.some((pattern) =>
    new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`).test(text),
  )
}

function say({ column, kinds, rows }: Harmless): string {
  return [column, kinds?.join('/'), rows && `(${rows.join(', ')})`].filter(Boolean).join(' ')
}
