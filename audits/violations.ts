import { type Invariant, RULE_COLUMNS } from './catalogue.ts'
import type { Connection } from './connection.ts'
import { positionOf, SessionError } from './failure.ts'

/** A row of a rule: numbers are texts, as Postgres wrote them. */
export interface Violation {
  readonly subjectType: string
  readonly subjectId: string
  readonly userId: string | null
  readonly detail: string
  readonly expected: string
  readonly actual: string
  readonly occurredAt: string | null
}

/** What a rule found in one snapshot. */
export interface Judgement {
  readonly population: number
  readonly violations: number
  /** Σ |actual − expected| of all violations, in the rule's unit. */
  readonly impact: string
  /** Distinct users of all violations. */
  readonly users: number
  /** The violations of greatest impact, at most SAMPLE. */
  readonly sample: readonly Violation[]
}

/** Rows of a violated rule that are read; beyond it only number, users and impact are known. */
export const SAMPLE = 200

const OIDS: Readonly<Record<string, number>> = { text: 25, numeric: 1700, timestamptz: 1184, uuid: 2950 }
const TYPES: Readonly<Record<number, string>> = {
  ...Object.fromEntries(Object.entries(OIDS).map(([name, oid]) => [oid, name])),
  16: 'boolean',
  20: 'bigint',
  23: 'integer',
  701: 'double precision',
  1043: 'varchar',
  1082: 'date',
  1114: 'timestamp',
  3802: 'jsonb',
}
const BIGINT = 20

/**
 * Runs one rule inside a transaction: population, shape, rows, all in its snapshot.
 *
 * @param counted the population, where a screen has just counted it: a table of millions is not read once a rule
 */
export async function judge(
  connection: Connection,
  invariant: Invariant,
  counted?: number,
): Promise<Judgement> {
  const population = counted ?? (await populationOf(connection, invariant))
  await checkShape(connection, invariant)
  return { population, ...(await violationsOf(connection, invariant)) }
}

/** How much a rule looks at. */
async function populationOf(connection: Connection, invariant: Invariant): Promise<number> {
  return inFile(`${invariant.file}, population`, async () => {
    const { fields, rows } = await connection.query(
      `select p.* from (\n${invariant.population}\n) as p limit 2`,
    )
    const value = rows[0]?.[0] ?? null
    if (rows.length !== 1 || fields.length !== 1 || fields[0]?.type !== BIGINT || value === null) {
      throw new SessionError('population must be a count(*): one row with one bigint')
    }
    return count(value)
  })
}

/** Asks the server for names and types of the columns; no row is computed. */
async function checkShape(connection: Connection, invariant: Invariant): Promise<void> {
  const before = 'select v.* from (\n'
  const place = (error: unknown) => placeOf(invariant, (positionOf(error) ?? -1) - before.length)
  await inFile(place, async () => {
    const { fields } = await connection.query(`${before}${invariant.sql}\n) as v limit 0`)
    const columns = { ...RULE_COLUMNS, ...(invariant.namesUser && { user_id: 'uuid' }) }
    for (const [name, type] of Object.entries(columns)) {
      const is = fields.find((field) => field.name === name)?.type
      if (is !== OIDS[type]) {
        throw new SessionError(`column ${name} is ${TYPES[is ?? 0] ?? `of type ${is}`}, it must be ${type}`)
      }
    }
  })
}

async function violationsOf(
  connection: Connection,
  invariant: Invariant,
): Promise<Pick<Judgement, 'violations' | 'impact' | 'users' | 'sample'>> {
  return inFile(invariant.file, async () => {
    const { rows } = await connection.query(violationsSql(invariant))
    const [total = null, impact, users = null, incomplete] = rows[0] ?? []
    if (incomplete !== '0') {
      throw new SessionError(
        `${incomplete} of ${total} rows lack a subject, a detail, expected or actual, or hold NaN`,
      )
    }
    const violations = count(total)
    return {
      violations,
      impact: impact ?? '0',
      users: count(users),
      sample: violations === 0 ? [] : rows.map(violationOf),
    }
  })
}

function violationOf(row: readonly (string | null)[]): Violation {
  const [subjectType, subjectId, userId, detail, expected, actual, occurredAt] = row.slice(4)
  return {
    subjectType: subjectType ?? '',
    subjectId: subjectId ?? '',
    userId: userId ?? null,
    detail: detail ?? '',
    expected: expected ?? '',
    actual: actual ?? '',
    occurredAt: isoTime(occurredAt ?? null),
  }
}

/**
 * One statement, one snapshot: the exact number, the summed impact, the users, and a bounded sample. The file is a
 * sub-select, so that a write in it is a syntax error.
 */
function violationsSql(invariant: Invariant): string {
  const user = invariant.namesUser
    ? 'v.user_id::text'
    : `case when v.subject_type = 'user' then v.subject_id end`
  return `with v as materialized (
  select v.subject_type, v.subject_id, ${user} as user_id, v.detail, v.expected, v.actual, v.occurred_at
  from (
${invariant.sql}
  ) as v
), t as (
  select
    pg_catalog.count(*) as total,
    pg_catalog.sum(pg_catalog.abs(v.actual - v.expected)) as impact,
    pg_catalog.count(distinct v.user_id) as users,
    pg_catalog.count(*) filter (
      where v.subject_type is null or v.subject_id is null or v.detail is null
        or v.expected is null or v.actual is null
        or pg_catalog.abs(v.expected) = any (array['NaN', 'Infinity']::numeric[])
        or pg_catalog.abs(v.actual) = any (array['NaN', 'Infinity']::numeric[])
    ) as incomplete
  from v
), s as (
  select * from v
  order by pg_catalog.abs(v.actual - v.expected) desc nulls last, v.subject_type, v.subject_id, v.detail
  limit ${SAMPLE}
)
select t.total, t.impact, t.users, t.incomplete, s.subject_type, s.subject_id, s.user_id, s.detail, s.expected,
  s.actual, s.occurred_at
from t left join s on true
order by pg_catalog.abs(s.actual - s.expected) desc nulls last, s.subject_type, s.subject_id, s.detail`
}

/** An error, and the place in the catalogue that it comes from. */
export class InFileError extends Error {
  readonly place: string

  constructor(place: string, cause: unknown) {
    super(place, { cause })
    this.place = place
  }
}

async function inFile<T>(place: string | ((error: unknown) => string), work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new InFileError(typeof place === 'string' ? place : place(error), error)
  }
}

function placeOf(invariant: Invariant, position: number): string {
  if (position < 0 || position > invariant.sql.length) {
    return invariant.file
  }
  return `${invariant.file}:${invariant.line + invariant.sql.slice(0, position).split('\n').length - 1}`
}

/** `2026-11-01 10:00:00.5+00`, as Postgres writes it in UTC, as ISO 8601; null for infinity, and before Christ. */
function isoTime(text: string | null): string | null {
  return text !== null && /^\d{4}-.*\+00$/.test(text) ? text.replace(' ', 'T').replace(/\+00$/, 'Z') : null
}

function count(text: string | null): number {
  const value = Number(text ?? Number.NaN)
  if (!Number.isSafeInteger(value)) {
    throw new SessionError(`"${text}" is no count`)
  }
  return value
}
