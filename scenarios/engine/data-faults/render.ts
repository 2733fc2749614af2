import type { Cell } from './matrix.ts'
import { isUnseen, type Tried } from './try-faults.ts'

/** The rules named in a line; where more saw it, how many. */
const NAMED = 3

/** The matrix as text: a column, and below it a line a kind of fault. */
export function renderMatrix(cells: readonly Cell[]): string {
  const width = Math.max(...cells.map(({ kind }) => kind.length))
  const head = `${'  fault'.padEnd(width + 2)}   caught  by evidence  refused  unseen  by`
  const columns = Map.groupBy(cells, ({ column }) => column)
  return [...columns.entries()]
    .map(([column, own]) => [column, ...own.map((cell) => renderCell(cell, width))].join('\n'))
    .reduce((text, block) => `${text}\n${block}`, head)
}

function renderCell(cell: Cell, width: number): string {
  const { kind, caught, byEvidence, refused, unseen, by, reasons } = cell
  const numbers = [number(caught, 8), number(byEvidence, 12), number(refused, 9), number(unseen, 8)].join('')
  const more = by.length > NAMED ? `, and ${by.length - NAMED} more` : ''
  const line = `  ${kind.padEnd(width)} ${numbers}  ${by.slice(0, NAMED).join(', ')}${more}`.trimEnd()
  return [line, ...reasons.map((reason) => `    harmless: ${reason}`)].join('\n')
}

function number(value: number, width: number): string {
  return (value === 0 ? '–' : value.toLocaleString('en')).padStart(width)
}

/** How many faults there were, and what became of them. */
export function renderSums(tried: readonly Tried[], cells: readonly Cell[]): string {
  const sum = (of: 'caught' | 'byEvidence' | 'refused') =>
    cells.reduce((total, cell) => total + cell[of], 0).toLocaleString('en')
  const ledgers = new Set(tried.map(({ world }) => world)).size
  return [
    `${tried.length.toLocaleString('en')} faults of ${cells.length} kinds in ${ledgers} ledgers:`,
    `${sum('caught')} caught by rules (${sum('byEvidence')} of them only with evidence),`,
    `${sum('refused')} refused by the database,`,
    `${tried.filter(isUnseen).length.toLocaleString('en')} unseen`,
  ].join(' ')
}
