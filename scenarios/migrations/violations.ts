import { join } from 'node:path'
import { Client } from 'pg'
import { type Invariant, readCatalogue } from '../../audits/catalogue.ts'
import type { Evidence } from '../../fixtures/migrations/matching.ts'

const INVARIANTS = join(import.meta.dirname, '../../audits/invariants')

/**
 * What the rules of the stage `unify` find, as `id subject: detail`; minor findings are no fault of a migration.
 * The catalogue's own runner is not used: it looks at a target as a whole, this at the rules and nothing else.
 */
export async function violations(url: string, evidence?: Evidence): Promise<string[]> {
  const { invariants } = await readCatalogue(INVARIANTS)
  const client = new Client(url)
  await client.connect()
  try {
    await client.query('begin read only')
    const settings = {
      'audit.as_of': (await client.query('select clock_timestamp()::text as now')).rows[0].now,
      'audit.evidence': evidence ? JSON.stringify(evidence) : '',
    }
    for (const [name, value] of Object.entries({ ...settings, 'audit.horizon': settings['audit.as_of'] })) {
      await client.query('select set_config($1, $2, true)', [name, value])
    }
    const found: string[] = []
    for (const { id, sql } of invariants.filter((invariant) => applies(invariant, evidence))) {
      const { rows } = await client.query(sql)
      found.push(...rows.map((row) => `${id} ${row.subject_id}: ${row.detail}`))
    }
    return found
  } finally {
    await client.end()
  }
}

function applies({ stages, severity, needsEvidence }: Invariant, evidence?: Evidence): boolean {
  return stages.includes('unify') && severity !== 'minor' && (!needsEvidence || evidence !== undefined)
}
