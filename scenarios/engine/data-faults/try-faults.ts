import type { ClientBase } from 'pg'
import { audit } from '../../../audits/audit.ts'
import type { Catalogue } from '../../../audits/catalogue.ts'
import type { Evidence } from '../../../audits/evidence.ts'
import { withDatabase } from '../../../fixtures/postgres/connection.ts'
import type { Databases } from '../../../fixtures/postgres/databases.ts'
import { APP_TABLES } from '../app-tables.ts'
import { redOf, unjudged } from '../kill-matrix.ts'
import { type DataFault, dataFaults } from './faults.ts'
import { apply, type Fate, Judge } from './judge.ts'
import type { World } from './worlds.ts'

/** A fault, where it was made, and what became of it. */
export interface Tried {
  readonly world: string
  readonly fault: DataFault
  readonly fate: Exclude<Fate, { is: 'nothing' }>
}

export interface TryOptions {
  readonly databases: Databases
  readonly catalogue: Catalogue
  /** Which of the faults; all without it. */
  readonly only?: (fault: DataFault) => boolean
  /** Which of them are shown to the audit itself: it has to find what the quick judge found. */
  readonly confirm?: (tried: Tried) => boolean
}

/**
 * Makes a healthy ledger, and puts every fault into it, one at a time. Faults that change nothing are left out.
 *
 * @throws Error when the audit itself says otherwise than the quick judge did
 */
export async function tryFaults(
  world: World,
  { databases, catalogue, only = () => true, confirm = () => false }: TryOptions,
): Promise<readonly Tried[]> {
  const database = await databases.create(world.revision)
  try {
    const evidence = await world.fill(database.url)
    return await withDatabase(database.url, async (client) => {
      const tried: Tried[] = []
      const judge = await Judge.on(client, catalogue, evidence)
      for (const fault of (await dataFaults(client)).filter(only)) {
        const fate = await judge.judge(fault)
        if (fate.is !== 'nothing') tried.push({ world: world.name, fault, fate })
      }
      await client.query(
        APP_TABLES.map((table) => `create temp table ${saved(table)} as table ${table}`).join(';'),
      )
      for (const { fault, fate } of tried.filter(confirm)) {
        const quick = [...new Set([...judge.redBefore, ...(fate.is === 'judged' ? fate.red : [])])].sort()
        const red = await redByAudit(client, database.url, fault, { catalogue, evidence })
        if (red.join() !== quick.join()) {
          throw new Error(
            `${world.name}, ${fault.name}: the audit finds [${red.join(', ')}], the quick judge [${quick.join(', ')}]`,
          )
        }
      }
      return tried
    })
  } finally {
    await database.drop()
  }
}

/** The database took it, and no rule found anything new. */
export function isUnseen({ fate }: Tried): boolean {
  return fate.is === 'judged' && fate.red.length === 0
}

/** Breaks for good, lets the audit look, and puts back what was there. */
async function redByAudit(
  client: ClientBase,
  url: string,
  fault: DataFault,
  given: { readonly catalogue: Catalogue; readonly evidence: Evidence },
): Promise<string[]> {
  await client.query('begin')
  await apply(client, fault)
  await client.query('commit')
  const report = await audit({ targets: [{ name: 'faulty', url }], ...given, settle: false, failOn: 'minor' })
  await client.query('begin')
  await client.query('set local session_replication_role = replica')
  await client.query(
    APP_TABLES.map((table) => `delete from ${table}; insert into ${table} table ${saved(table)}`).join(';'),
  )
  await client.query('commit')
  const blind = unjudged(report).filter((line) => !/ is vacuous: /.test(line))
  return [...redOf(report), ...blind].sort()
}

function saved(table: string): string {
  return `pg_temp.saved_${table.replace('.', '_')}`
}
