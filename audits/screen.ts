import type { Invariant, Screen } from './catalogue.ts'
import type { Connection } from './connection.ts'
import { SessionError } from './failure.ts'
import { columnOf, guardOf, nameOf, type Scan, takeOutScans } from './screen-sql.ts'

/** What a screen says of a rule. */
export interface Screened {
  /** The rule's select would return no row, but for a chance of 2⁻³¹; false: only the select can tell. */
  readonly clear: boolean
  /** How much the rule looks at. */
  readonly population: number
}

/**
 * Screens rules, and counts what each looks at, in two statements and as few scans as possible. First what all screens
 * take for granted, and what guards of the database (a valid index, a validated constraint) hold already; then the rest, where what rules want to know of
 * one table is computed together. Inside a transaction whose settings are those of the rules.
 *
 * A rule without a screen is counted and never clear. One whose population is in the evidence is left out.
 *
 * @param seed a random signed 64-bit integer, which keys the hashes
 * @throws what the server says; then every rule has to run its select
 */
export async function screen(
  connection: Connection,
  rules: readonly Invariant[],
  seed: string,
): Promise<ReadonlyMap<string, Screened>> {
  const counted = rules.filter(({ population }) => !population.includes('audit.evidence'))
  const screens = counted.map((rule) => screenAt(rule, rules)?.sql)
  const guards = screens.map((screen) => (screen && guardOf(screen)) ?? 'false')
  const { rows: held } = await connection.query(
    `select ${["pg_catalog.current_setting('audit.as_of')", GROUND, ...guards].join(',\n')}`,
  )
  const [asOf, ground, ...holding] = held[0] ?? []
  const holds = holding.map((hold) => (ground === 't' ? hold : 'f'))
  const questions = counted.map(({ population }, index) => ({
    population,
    screen: ground !== 't' || holds[index] === 't' ? undefined : screens[index],
  }))
  const { rows } = await connection.query(await screenSql(questions, { seed, asOf: asOf ?? '' }))
  const values = rows[0] ?? []
  return new Map(
    counted.map(({ id, file }, index) => {
      const population = Number(values[2 * index] ?? Number.NaN)
      if (!Number.isSafeInteger(population)) {
        throw new SessionError(`${file}, population: "${values[2 * index]}" is no count`)
      }
      return [id, { population, clear: holds[index] === 't' || values[2 * index + 1] === 't' }]
    }),
  )
}

/**
 * What all screens take for granted: no table has another that inherits from it (indexes and constraints would not hold
 * there), no row is without user, type, size, outcome or time, and what is summed up is whole by its type.
 */
const GROUND = `(
  with ledger as (
    select c.oid, c.relname
    from pg_catalog.pg_class as c
    where c.relnamespace = 'public'::pg_catalog.regnamespace
      and c.relname in ('token_usage', 'token_transactions', 'token_drips', 'user_profiles')
  )
  select
    not exists (select from pg_catalog.pg_inherits as i join ledger as l on l.oid = i.inhparent)
    and not exists (select from pg_catalog.pg_constraint as c join ledger as l on l.oid = c.conrelid where c.contype = 'n' and not c.convalidated)
    and not exists (
      select
      from pg_catalog.pg_attribute as a
      join ledger as l on l.oid = a.attrelid
      where (a.attname = 'user_id' or l.relname = 'token_usage' and a.attname in ('action_type', 'tokens_used', 'success', 'created_at'))
          and not a.attnotnull
        or a.attname in (
            'tokens_used', 'balance_before', 'balance_after', 'tokens_remaining', 'drip_amount', 'vibe_assistant_tokens_remaining',
            'vibe_assistant_tokens_used')
          and a.atttypid not in ('int4'::pg_catalog.regtype, 'int8'::pg_catalog.regtype)))`

/** A rule's screen, if that can be asked at every stage at which all these rules have meaning together. */
function screenAt({ screen }: Invariant, together: readonly Invariant[]): Screen | undefined {
  const { stages } = screen ?? {}
  if (stages === undefined) return screen
  const [first, ...others] = together
  const here = first?.stages.filter((stage) => others.every((other) => other.stages.includes(stage))) ?? []
  return here.every((stage) => stages.includes(stage)) ? screen : undefined
}

/** One row: for each question the population, and whether the screen is clear. */
export async function screenSql(
  questions: readonly { readonly population: string; readonly screen: string | undefined }[],
  given: { seed: string; asOf: string },
): Promise<string> {
  const scans: Scan[] = []
  const columns: string[] = []
  for (const { population, screen } of questions) {
    columns.push(await takeOutScans(`(\n${population}\n)`, scans))
    columns.push(screen === undefined ? 'false' : await takeOutScans(filledIn(screen, given), scans))
  }
  const from = scans.map(({ table, alias, aggregates }, index) => {
    const all = aggregates.map((aggregate, place) => `${aggregate} as ${columnOf(place)}`)
    const name = alias === undefined ? table : `${table} as ${alias}`
    return `(\nselect\n  ${all.join(',\n  ')}\nfrom ${name}\n) as ${nameOf(index)}`
  })
  return `select\n${columns.join(',\n')}${from.length > 0 ? `\nfrom ${from.join(', ')}` : ''}`
}

/** Settings as constants: a setting would be read anew for each row, and hide from the planner how few rows are meant. */
function filledIn(screen: string, { seed, asOf }: { seed: string; asOf: string }): string {
  if (!/^-?\d{1,19}$/.test(seed)) throw new TypeError(`"${seed}" is no seed: a signed 64-bit integer`)
  return `(\n${screen}\n)`
    .replaceAll(AS_OF, `'${asOf.replaceAll("'", "''")}'::timestamptz`)
    .replaceAll(SEED, `'${seed}'::bigint`)
}

const AS_OF = /current_setting\('audit\.as_of'\)::timestamptz/g
/** Screens run by hand after `set audit.seed = '42'`. */
const SEED = /current_setting\('audit\.seed'\)::bigint/g
