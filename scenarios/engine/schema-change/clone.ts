import type { Databases, Template } from '../../../fixtures/postgres/databases.ts'

/** Does some work on a copy of a template, and drops it. */
export async function onClone<Result>(
  databases: Databases,
  template: Template<unknown>,
  work: (databaseUrl: string) => Promise<Result>,
): Promise<Result> {
  const database = await databases.createFrom(template)
  return work(database.url).finally(() => database.drop())
}
