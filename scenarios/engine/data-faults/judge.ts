import { type ClientBase, DatabaseError } from 'pg'
import type { Catalogue } from '../../../audits/catalogue.ts'
import { type Entitlements, type Evidence, entitlements } from '../../../audits/evidence.ts'
import type { DataFault } from './faults.ts'

/** What became of one fault. */
export type Fate =
  /** It changes nothing here: the value is what the fault would make of it. */
  | { readonly is: 'nothing' }
  /** The database took it, and these rules found what they had not found before; empty: nobody sees it. */
  | { readonly is: 'judged'; readonly red: readonly string[] }
  /** The database itself holds what the fault breaks. */
  | { readonly is: 'refused'; readonly by: string }
  /** A rule could not be run on it: the audit ends with "could not judge". */
  | { readonly is: 'unjudged'; readonly why: string }

/**
 * Judges faults on one connection, each in a transaction that is rolled back: all rules in one prepared statement,
 * with what the audit would tell them. Says the same as the audit, in a fraction of its time.
 */
export class Judge {
  readonly #client: ClientBase
  readonly #sql: string
  readonly #evidence: Entitlements
  #before: ReadonlySet<string> = new Set()

  private constructor(client: ClientBase, catalogue: Catalogue, evidence: Evidence) {
    this.#client = client
    this.#evidence = entitlements(evidence)
    this.#sql = catalogue.invariants
      .filter(({ stages }) => stages.includes('unify'))
      .map(
        ({ id, sql }) =>
          `select '${id}' as rule, concat_ws(E'\\t', v.subject_type, v.subject_id, v.expected, v.actual) as violation from (\n${sql}\n) as v`,
      )
      .join('\nunion all\n')
  }

  /** On a database as it is before any fault: what is red there, by a story's own telling, is nobody's discovery. */
  static async on(client: ClientBase, catalogue: Catalogue, evidence: Evidence): Promise<Judge> {
    const judge = new Judge(client, catalogue, evidence)
    await client.query(`set search_path = ''; set timezone = 'UTC'; set jit = off`)
    await client.query('begin')
    judge.#before = new Set(await judge.#violations())
    await client.query('rollback')
    return judge
  }

  /** Ids of the rules that are red without any fault. */
  get redBefore(): readonly string[] {
    return rulesOf(this.#before)
  }

  /** Breaks, judges, takes it back. */
  async judge(fault: DataFault): Promise<Fate> {
    await this.#client.query('begin')
    try {
      const applied = await apply(this.#client, fault)
      if (applied !== 'applied') return applied
      const found = await this.#violations()
      return { is: 'judged', red: rulesOf(found.filter((violation) => !this.#before.has(violation))) }
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error
      return { is: 'unjudged', why: error.message }
    } finally {
      await this.#client.query('rollback')
    }
  }

  async #violations(): Promise<string[]> {
    await this.#client.query(
      `select set_config('audit.evidence', $1, true),
         set_config('audit.as_of', clock_timestamp()::text, true), set_config('audit.horizon', clock_timestamp()::text, true)`,
      [JSON.stringify(this.#evidence)],
    )
    const { rows } = await this.#client.query<{ rule: string; violation: string }>({
      name: 'all-rules',
      text: this.#sql,
    })
    return rows.map(({ rule, violation }) => `${rule}\t${violation}`)
  }
}

/** Applies a fault in the transaction that is open: constraints that wait for its end are asked at once. */
export async function apply(client: ClientBase, { statements }: DataFault): Promise<Fate | 'applied'> {
  try {
    let changed = 0
    for (const statement of statements) changed = (await client.query(statement)).rowCount ?? 0
    if (changed === 0) return { is: 'nothing' }
    await client.query('set constraints all immediate')
    return 'applied'
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    return { is: 'refused', by: refuser(error) }
  }
}

/** What a refusal says of who refused. */
function refuser({ constraint, column, code, message }: DatabaseError): string {
  if (constraint !== undefined) return constraint
  return code === '23502' ? `${column} not null` : message
}

function rulesOf(violations: Iterable<string>): string[] {
  return [...new Set([...violations].map((line) => line.split('\t', 1)[0] ?? ''))].sort()
}
