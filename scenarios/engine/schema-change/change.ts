import type { Schema, SchemaFile } from '../../../fixtures/schema/schema.ts'
import type { Finding } from './finding.ts'

/** What lies between two schemas. */
export interface Change {
  /** Files that only `after` has, in order: what production would apply. */
  readonly added: readonly SchemaFile[]
  readonly findings: readonly Finding[]
}

/** Compares two folders of migrations, file by file. */
export function changeBetween(before: Schema, after: Schema): Change {
  const old = new Map(before.files.map((file) => [file.name, file]))
  const now = new Map(after.files.map((file) => [file.name, file]))
  const added = after.files.filter(({ name }) => !old.has(name))
  const last = before.files.at(-1)
  return {
    added,
    findings: [
      ...after.files
        .filter(({ name, text }) => old.has(name) && old.get(name)?.text !== text)
        .map(({ name, path }): Finding => {
          return {
            level: 'harm',
            what: `${name} is there before the change, with another text: where it was applied, this text never will be. Put the change in a new file`,
            where: { file: path, line: 1 },
          }
        }),
      ...before.files
        .filter(({ name }) => !now.has(name))
        .map(({ name }): Finding => {
          return {
            level: 'harm',
            what: `${name} is gone: where it was applied, it stays applied, and a new database differs from production`,
          }
        }),
      ...added
        .filter(({ name }) => last !== undefined && name < last.name)
        .map(({ name, path }): Finding => {
          return {
            level: 'harm',
            what: `${name} sorts before ${last?.name}, which is there already: supabase db push refuses that. Give it a later version`,
            where: { file: path, line: 1 },
          }
        }),
      ...added.flatMap(rolesOpened),
    ],
  }
}

const API_ROLES: ReadonlySet<string> = new Set(['anon', 'authenticated', 'authenticator'])

/** Roles are the server's, so that no test database shows what becomes of them; the statement itself does. */
function rolesOpened({ path, statements }: SchemaFile): Finding[] {
  return statements.flatMap(({ node, line }): Finding[] => {
    const grantees =
      'GrantRoleStmt' in node && node.GrantRoleStmt.is_grant ? node.GrantRoleStmt.grantee_roles : []
    const altered = 'AlterRoleStmt' in node ? [{ RoleSpec: node.AlterRoleStmt.role }] : []
    const named = [...(grantees ?? []), ...altered].flatMap((one) =>
      'RoleSpec' in one ? (one.RoleSpec?.rolename ?? []) : [],
    )
    return named
      .filter((role) => API_ROLES.has(role))
      .map((role) => ({
        level: 'harm',
        what: `the rights of ${role} are changed, with whom everybody comes in: what that opens can't be seen on a test database`,
        where: { file: path, line },
      }))
  })
}
