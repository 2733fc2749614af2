import type { Client } from 'pg'
import type { Invariant } from '../../../audits/catalogue.ts'
import { stageHere } from '../given-schema.ts'
import { allRules } from '../outcome.ts'

/**
 * All rules in one call, for runs by the thousand: a function of the scratch database whose plans stay. It asks whether
 * a rule finds anything at all, not what; the audit itself judges a run that is red.
 */
export class RulesAtOnce {
  readonly #client: Client

  private constructor(client: Client) {
    this.#client = client
  }

  /** Makes the function, out of the rules of the database's stage. Throws where that can't be told. */
  static async install(client: Client): Promise<RulesAtOnce> {
    const { invariants } = await allRules()
    const stage = await stageHere(client)
    const here = invariants.filter(({ stages }) => stages.includes(stage))
    await client.query('create schema explore')
    await client.query(functionOf('red', here.filter(readsRows)))
    await client.query(
      functionOf(
        'red_as_installed',
        here.filter((rule) => !readsRows(rule)),
      ),
    )
    return new RulesAtOnce(client)
  }

  /** The ids of those rules that look at the catalogue alone, and find something: no run changes that. */
  async redAsInstalled(): Promise<readonly string[]> {
    const { rows } = await this.#client.query<{ red: readonly string[] }>(
      `select explore.red_as_installed('') as red`,
    )
    return rows[0]?.red ?? []
  }

  /** The ids of the other rules that find something. `owed`: entitlements, as the audit takes them. */
  async red(owed: string): Promise<readonly string[]> {
    const { rows } = await this.#client.query<{ red: readonly string[] }>({
      name: 'explore-red',
      text: 'select explore.red($1) as red',
      values: [owed],
    })
    return rows[0]?.red ?? []
  }
}

/** What the catalogue holds (constraints, policies, functions) no request of an app changes. */
const readsRows = ({ sql }: Invariant): boolean => /\b(from|join)\s+(public\.|\(?\s*select)/i.test(sql)

function functionOf(name: string, rules: readonly Invariant[]): string {
  const asked = rules.map(
    ({ id, sql }) =>
      `if exists (select from (\n${sql}\n) as rule) then found := found || '${id}'::text; end if;`,
  )
  return `create function explore.${name}(owed text) returns text[] language plpgsql
set search_path = '' set row_security = off set timezone = 'UTC' set jit = off set plan_cache_mode = force_generic_plan
as $explore$
declare found text[] := '{}';
begin
  perform pg_catalog.set_config('audit.as_of', pg_catalog.clock_timestamp()::text, true);
  perform pg_catalog.set_config('audit.horizon', pg_catalog.clock_timestamp()::text, true);
  perform pg_catalog.set_config('audit.evidence', owed, true);
  ${asked.join('\n  ')}
  return found;
end
$explore$`
}
