import type { Connection } from './connection.ts'

/** What the role of a target may do, as far as it matters here. */
export interface RoleFacts {
  readonly role: string
  readonly superuser: boolean
  readonly bypassesRls: boolean
  /** Schemas of the relations that it may not use. */
  readonly closedSchemas: readonly string[]
  /** Relations that are there and that it may not read. */
  readonly unreadable: readonly string[]
  /** Relations of which row-level security would hide rows from it. */
  readonly filtered: readonly string[]
  /** Schemas with tables that it may write to; empty for a superuser, who may do everything. */
  readonly writableSchemas: readonly string[]
}

const FACTS_SQL = `
with wanted as (
  select c.oid, n.oid as schema_oid, n.nspname, c.relkind, n.nspname || '.' || c.relname as name
  from pg_catalog.pg_class as c
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  where n.nspname || '.' || c.relname = any ($1::text[])
), usable as (
  select w.* from wanted as w where pg_catalog.has_schema_privilege(w.schema_oid, 'usage')
)
select
  r.rolname::text,
  r.rolsuper,
  r.rolbypassrls,
  (select pg_catalog.json_agg(distinct w.nspname) from wanted as w
    where not pg_catalog.has_schema_privilege(w.schema_oid, 'usage')),
  (select pg_catalog.json_agg(u.name order by u.name) from usable as u
    where not pg_catalog.has_any_column_privilege(u.oid, 'select')),
  (select pg_catalog.json_agg(u.name order by u.name) from usable as u
    where u.relkind in ('r', 'p') and pg_catalog.row_security_active(u.oid)),
  (select pg_catalog.json_agg(distinct n.nspname)
    from pg_catalog.pg_class as c
    join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
    where not r.rolsuper and c.relkind in ('r', 'p', 'v', 'f')
      and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      and pg_catalog.has_schema_privilege(n.oid, 'usage')
      and (pg_catalog.has_table_privilege(c.oid, 'insert, update, delete, truncate')
        or pg_catalog.has_any_column_privilege(c.oid, 'insert, update')))
from pg_catalog.pg_roles as r
where r.rolname = current_user`

/**
 * Asks what the connected role may do with the tables and views of the rules.
 *
 * @param relations with their schema; what is not there is left out
 */
export async function readRole(connection: Connection, relations: readonly string[]): Promise<RoleFacts> {
  const { rows } = await connection.query(FACTS_SQL, [
    `{${relations.map((name) => JSON.stringify(name)).join(',')}}`,
  ])
  const [role, superuser, bypasses, ...lists] = rows[0] ?? []
  const [closedSchemas = [], unreadable = [], filtered = [], writableSchemas = []] = lists.map(
    (list) => (list === null ? [] : JSON.parse(list)) as string[],
  )
  return {
    role: role ?? '',
    superuser: superuser === 't',
    bypassesRls: bypasses === 't',
    closedSchemas,
    unreadable,
    filtered,
    writableSchemas,
  }
}

/** What keeps the role from seeing a whole, and the statements that mend it; null: nothing does. */
export function blindness(facts: RoleFacts): string | null {
  const { closedSchemas, unreadable, filtered } = facts
  const role = identifier(facts.role)
  const wrong = [
    ...closedSchemas.map((schema) => `no USAGE on schema ${schema}`),
    ...(unreadable.length === 0 ? [] : [`no SELECT on ${unreadable.join(', ')}`]),
    ...(filtered.length === 0
      ? []
      : [`row-level security would hide rows of ${filtered.join(', ')} (42501 in place of rows)`]),
  ]
  if (wrong.length === 0) return null
  const statements = [
    ...closedSchemas.map((schema) => `grant usage on schema ${identifier(schema)} to ${role};`),
    ...(unreadable.length === 0
      ? []
      : [`grant select on ${unreadable.map(qualified).join(', ')} to ${role};`]),
    ...(filtered.length === 0 ? [] : [`alter role ${role} bypassrls;`]),
  ]
  return `the role ${role} does not see all that the rules read: ${wrong.join('; ')}. As an administrator on the primary: ${statements.join(' ')}`
}

/** What the role may do and need not: nothing that changes a verdict. */
export function roleWarnings(facts: RoleFacts): readonly string[] {
  const role = identifier(facts.role)
  if (facts.superuser) {
    return [
      `the role ${role} is a superuser; the audit only reads, and a role that can do no more is safer: npm run audit -- --print-role`,
    ]
  }
  if (facts.writableSchemas.length === 0) return []
  const schemas = facts.writableSchemas.map(identifier).join(', ')
  return [
    `the role ${role} may write to tables of ${schemas}; the audit only reads: revoke insert, update, delete, truncate on all tables in schema ${schemas} from ${role}; (or from the roles that it is a member of, or from public)`,
  ]
}

/** What the audit reads besides the relations of the rules, and what view token_ledger reads as its caller. */
export const OWN_RELATIONS = [
  'public.token_audit_heartbeat',
  'public.token_ledger_legacy',
  'public.token_ledger_stage',
]

/**
 * The statements that make the least role with which all rules can be judged.
 *
 * @param relations that the rules read, of all stages: those that a database does not have yet are left out there
 */
export function roleSql(relations: readonly string[]): string {
  const names = [...new Set([...relations, ...OWN_RELATIONS])].sort()
  const schemas = [...new Set(names.map((name) => name.slice(0, name.indexOf('.'))))]
  return `-- The least role with which the audit can judge. On the primary, as an administrator; replicas follow.
-- After each migration of the ledger, run it again from "grant usage" on: a view that is made anew has no grants.
-- bypassrls: with row-level security a role without it sees a part of the rows, or none, and every rule would pass.
create role token_audit login bypassrls connection limit 5 password 'choose one';
alter role token_audit set default_transaction_read_only = on;
alter role token_audit set statement_timeout = '60s';
${schemas.map((schema) => `grant usage on schema ${schema} to token_audit;`).join('\n')}
do $$
declare
  name text;
begin
  foreach name in array array[
${names.map((name) => `    '${name}'`).join(',\n')}
  ] loop
    if to_regclass(name) is not null then
      execute format('grant select on %s to token_audit', name);
    end if;
  end loop;
end
$$;
`
}

function qualified(name: string): string {
  const at = name.indexOf('.')
  return `${identifier(name.slice(0, at))}.${identifier(name.slice(at + 1))}`
}

function identifier(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`
}
