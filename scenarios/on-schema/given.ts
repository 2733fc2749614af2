import { inject } from 'vitest'
import { Databases, type Template } from '../../fixtures/postgres/databases.ts'
import { readSchema, type Schema } from '../../fixtures/schema/schema.ts'
import { type Installed, templateOf } from '../engine/given-schema.ts'

/** The schema that SCHEMA names, and the template that it came to. */
export async function given(): Promise<{ schema: Schema; template: Template<Installed> }> {
  const schema = await readSchema(String(process.env.SCHEMA))
  const databases = new Databases(inject('postgresUrl'), { run: inject('postgresRun').owner })
  try {
    return { schema, template: await templateOf(databases, schema) }
  } finally {
    await databases.close()
  }
}
