import { withDatabase } from '../../../fixtures/postgres/connection.ts'
import type { Databases, Template } from '../../../fixtures/postgres/databases.ts'
import { applySchema, SchemaError } from '../../../fixtures/schema/apply.ts'
import type { Schema, SchemaFile } from '../../../fixtures/schema/schema.ts'
import { describeInstalled, type Installed, UnclearStageError } from '../given-schema.ts'
import type { Change } from './change.ts'
import { type Blame, flatten } from './difference.ts'
import { type Facts, readFacts } from './facts.ts'
import type { Finding, Where } from './finding.ts'

export type Applied =
  | { readonly template: Template<Installed>; readonly blame: Blame }
  | { readonly failed: Finding }

/** The schema after the change, made as production will make it: from what is there, by what is added. */
export async function applyChange(
  databases: Databases,
  old: Template<Installed>,
  after: Schema,
  { added }: Change,
): Promise<Applied> {
  try {
    const made = await databases.makeTemplate(
      `change_${after.hash}`,
      async (url) => {
        const { skipped, places } = await applyWatched(url, added)
        return { installed: await describeInstalled(url, skipped), places: [...places] }
      },
      old,
    )
    const places = new Map(made.notes.places)
    return { template: { name: made.name, notes: made.notes.installed }, blame: (fact) => places.get(fact) }
  } catch (error) {
    if (error instanceof UnclearStageError) {
      return { failed: { level: 'harm', what: `what it leaves is of no stage: ${error.message}` } }
    }
    if (!(error instanceof SchemaError)) throw error
    const { file, line } = error
    return {
      failed: {
        level: 'harm',
        what: `it can't be applied: ${sayFailure(error)}`,
        where: { file, line },
      },
    }
  }
}

/** What Postgres said, without the place. */
export function sayFailure({ file, line, message }: SchemaError): string {
  return message.slice(`${file}:${line}: `.length)
}

/** Applies files, and notes for each fact the statement that changed it last. */
async function applyWatched(databaseUrl: string, files: readonly SchemaFile[]) {
  const places = new Map<string, Where>()
  let known = flatten(await factsOf(databaseUrl))
  const skipped = await applySchema(databaseUrl, files, {
    async statement(client, { path }, { line, node }) {
      if (ROWS_ONLY.some((kind) => kind in node)) return
      const now = flatten(await readFacts(client))
      for (const fact of new Set([...known.keys(), ...now.keys()])) {
        if (known.get(fact) !== now.get(fact)) places.set(fact, { file: path, line })
      }
      known = now
    },
  })
  return { skipped, places }
}

const ROWS_ONLY = ['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'CommentStmt', 'VariableSetStmt']

export function factsOf(databaseUrl: string): Promise<Facts> {
  return withDatabase(databaseUrl, readFacts)
}
