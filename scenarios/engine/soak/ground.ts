import { relationsOf } from '../../../audits/relations.ts'
import { roleSql } from '../../../audits/role.ts'
import { inDatabase, withDatabase } from '../../../fixtures/postgres/connection.ts'
import { Databases } from '../../../fixtures/postgres/databases.ts'
import { type Replicas, startReplicasAnyway } from '../../../fixtures/postgres/standbys/start.ts'
import { allRules } from '../outcome.ts'

/** A database to soak, and the same on a hot standby. */
export interface Plot {
  readonly databaseUrl: string
  /** On the standby, for the audit's role. */
  readonly auditUrl: string
  /** Waits until the standby shows all that is committed by now. */
  caughtUp(): Promise<void>
}

/** A primary and a hot standby, both of its own. */
export class Ground {
  readonly says: string
  readonly #replicas: Replicas
  readonly #databases: Databases
  readonly #grants: string

  private constructor(replicas: Replicas, grants: string) {
    this.says = replicas.says
    this.#replicas = replicas
    this.#databases = new Databases(replicas.primary)
    this.#grants = grants
  }

  static async start(): Promise<Ground> {
    const { invariants } = await allRules()
    const role = roleSql([...(await relationsOf(invariants)).keys()])
    const grantsAt = role.search(/^grant usage/m)
    const replicas = await startReplicasAnyway(1)
    try {
      await withDatabase(replicas.primary, (client) => client.query(role.slice(0, grantsAt)))
    } catch (error) {
      await replicas.stop()
      throw error
    }
    return new Ground(replicas, role.slice(grantsAt))
  }

  /** A new database of revision `unified`. @param sql what is changed in it before anything happens */
  async plot(sql = ''): Promise<Plot> {
    const [standby] = this.#replicas.standbys
    if (standby === undefined) throw new Error('the set has a standby')
    const { name, url } = await this.#databases.create('unified')
    // One message is one transaction.
    await withDatabase(url, (client) => client.query(`${sql};${this.#grants}`))
    await standby.caughtUp()
    const auditUrl = new URL(inDatabase(standby.url, name))
    auditUrl.username = 'token_audit'
    auditUrl.password = 'choose one'
    return { databaseUrl: url, auditUrl: auditUrl.href, caughtUp: () => standby.caughtUp() }
  }

  async close(): Promise<void> {
    await this.#databases.close()
    await this.#replicas.stop()
  }
}
