import type { Invariant } from './catalogue.ts'
import type { Connection } from './connection.ts'
import { SessionError } from './failure.ts'
import { columnOf, nameOf, type Scan, takeOutScans } from './screen-sql.ts'

/** What a screen says of a rule. */
export interface Screened {
  /** The rule's select would return no row, but for a chance of 2⁻⁶²; false: only the select can tell. */
  readonly clear: boolean
  /** How much the rule looks at. */
  readonly population: number
}

/**
 * Screens rules, and counts what each looks at, in one statement and as few scans as possible: what rules want to know
 * of one table is computed together. Inside a transaction whose settings are those of the rules.
 *
 * A rule without a screen is counted and never clear. One whose population is in the evidence is left out.
 *
 * @param seeds two random signed 64-bit integers, which key the weights that screens give to users
 * @throws what the server says; then every rule has to run its select
 */
export async function screen(
  connection: Connection,
  rules: readonly Invariant[],
  seeds: readonly string[],
): Promise<ReadonlyMap<string, Screened>> {
  const screened = rules.filter(({ population }) => !population.includes('audit.evidence'))
  if (screened.length === 0) return new Map()
  const { rows } = await connection.query(await screenSql(screened, seeds))
  const values = rows[0] ?? []
  return new Map(
    screened.map(({ id, file }, index) => {
      const population = Number(values[2 * index] ?? Number.NaN)
      if (!Number.isSafeInteger(population)) {
        throw new SessionError(`${file}, population: "${values[2 * index]}" is no count`)
      }
      return [id, { population, clear: values[2 * index + 1] === 't' }]
    }),
  )
}

/** One row: for each rule its population, and whether its screen is clear. */
export async function screenSql(rules: readonly Invariant[], seeds: readonly string[]): Promise<string> {
  const scans: Scan[] = []
  const columns: string[] = []
  for (const { population, screen } of rules) {
    columns.push(await takeOutScans(`(\n${population}\n)`, scans))
    columns.push(screen === undefined ? 'false' : await takeOutScans(keyed(screen, seeds), scans))
  }
  const from = scans.map(({ table, alias, aggregates }, index) => {
    const all = aggregates.map((aggregate, place) => `${aggregate} as ${columnOf(place)}`)
    return `(\nselect\n  ${all.join(',\n  ')}\nfrom ${table}${alias === undefined ? '' : ` as ${alias}`}\n) as ${nameOf(index)}`
  })
  return `select\n${columns.join(',\n')}${from.length > 0 ? `\nfrom ${from.join(', ')}` : ''}`
}

/** A screen with a weight in it is asked once with each seed: what one misses by chance, the other finds. */
function keyed(screen: string, seeds: readonly string[]): string {
  if (screen.search(SEED) < 0) return `(\n${screen}\n)`
  return seeds
    .map((seed) => {
      if (!/^-?\d{1,19}$/.test(seed)) throw new TypeError(`"${seed}" is no seed: a signed 64-bit integer`)
      return `(\n${screen.replaceAll(SEED, `'${seed}'::bigint`)}\n)`
    })
    .join(' and ')
}

/** How a screen's file reads its seed: so it runs by hand, after `set audit.seed = '42'`. */
const SEED = /current_setting\('audit\.seed'\)::bigint/g
