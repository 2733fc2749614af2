import type { Client } from 'pg'
import { parseTarget, withClient } from '../../fixtures/migrations/target.ts'
import { REVISIONS, type Revision, readRevision } from '../../fixtures/postgres/revisions.ts'
import { runFiles } from '../../fixtures/postgres/templates.ts'
import { UsageError } from '../../fixtures/postgres/usage-error.ts'

const NAMED = 5

/**
 * Installs a revision in an empty database. Throws UsageError naming what is in one that is not empty, and
 * MigrationError for one that can't be reached.
 */
export async function installRevision(databaseUrl: string, revision: Revision): Promise<void> {
  const target = parseTarget(databaseUrl)
  const there = await withClient(target, contents)
  if (there.length > 0) {
    const named = there.slice(0, NAMED).join(', ') + (there.length > NAMED ? ', …' : '')
    throw new UsageError(
      `${target.says} is not empty, ${there.length} tables and views are there (${named}): give a new one`,
    )
  }
  for (const step of [...road(revision)].reverse()) {
    await runFiles(databaseUrl, (await readRevision(REVISIONS, step)).files)
  }
}

/** A revision and those that it stands on, the last first. */
function* road(revision: Revision): Generator<Revision> {
  yield revision
  const { from } = REVISIONS[revision]
  if (from !== undefined) yield* road(from)
}

async function contents(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select format('%s.%s', n.nspname, c.relname) as name
     from pg_catalog.pg_class as c
     join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'f')
       and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'
       and not exists (select from pg_catalog.pg_depend as d where d.objid = c.oid and d.deptype = 'e')
     order by name`,
  )
  return rows.map(({ name }) => name)
}
