import { z } from 'zod'
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
  /** What it may do besides, and need not: empty for a superuser, who may do everything. */
  readonly excess: Excess
}

export interface Excess {
  /** Schemas with tables that it, or a role that it is a member of, owns. */
  readonly owns: readonly string[]
  /** Schemas with other tables that it may write to. */
  readonly writes: readonly string[]
  /** Schemas with sequences that it may move. */
  readonly sequences: readonly string[]
  /** Schemas in which it may create. */
  readonly creates: readonly string[]
  /** Postgres' own roles that it is a member of and that may write, or leave the database. */
  readonly memberOf: readonly string[]
  /** Of its attributes, those that a reader has no use for. */
  readonly attributes: readonly string[]
  /** The database, when it may create schemas in it. */
  readonly database: readonly string[]
}

/** https://www.postgresql.org/docs/17/predefined-roles.html */
const PREDEFINED = [
  'pg_write_all_data',
  'pg_maintain',
  'pg_signal_backend',
  'pg_write_server_files',
  'pg_execute_server_program',
  'pg_create_subscription',
]

const FACTS_SQL = `
with wanted as (
  select c.oid, n.oid as schema_oid, n.nspname, c.relkind, n.nspname || '.' || c.relname as name
  from pg_catalog.pg_class as c
  join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
  where n.nspname || '.' || c.relname = any ($1::text[])
), usable as (
  select w.* from wanted as w where pg_catalog.has_schema_privilege(w.schema_oid, 'usage')
), own_schema as (
  select n.oid, n.nspname from pg_catalog.pg_namespace as n
  where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and pg_catalog.has_schema_privilege(n.oid, 'usage')
), own_relation as (
  select c.oid, c.relkind, n.nspname, pg_catalog.pg_has_role(c.relowner, 'usage') as owned
  from pg_catalog.pg_class as c
  join own_schema as n on n.oid = c.relnamespace
), excess as (
  select
    (select pg_catalog.json_agg(distinct o.nspname) from own_relation as o
      where o.relkind in ('r', 'p', 'v', 'm', 'f') and o.owned) as owns,
    (select pg_catalog.json_agg(distinct o.nspname) from own_relation as o
      where o.relkind in ('r', 'p', 'v', 'f') and not o.owned
        and (pg_catalog.has_table_privilege(o.oid, 'insert, update, delete, truncate')
          or pg_catalog.has_any_column_privilege(o.oid, 'insert, update'))) as writes,
    (select pg_catalog.json_agg(distinct o.nspname) from own_relation as o
      where case when o.relkind = 'S' and not o.owned
        then pg_catalog.has_sequence_privilege(o.oid, 'usage, update') end) as sequences,
    (select pg_catalog.json_agg(distinct n.nspname) from own_schema as n
      where pg_catalog.has_schema_privilege(n.oid, 'create')) as creates,
    (select pg_catalog.json_agg(m.rolname order by m.rolname) from pg_catalog.pg_roles as m
      where m.rolname = any ($2::text[]) and pg_catalog.pg_has_role(m.oid, 'member')) as "memberOf",
    (select pg_catalog.json_agg(a.name) from (
      select 'createrole' where r.rolcreaterole
      union all select 'createdb' where r.rolcreatedb
      union all select 'replication' where r.rolreplication) as a (name)) as attributes,
    (select pg_catalog.json_agg(d.datname) from pg_catalog.pg_database as d
      where d.datname = pg_catalog.current_database()
        and pg_catalog.has_database_privilege(d.oid, 'create')) as database
  from pg_catalog.pg_roles as r
  where r.rolname = current_user and not r.rolsuper
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
  (select pg_catalog.row_to_json(e) from excess as e)
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
    `{${PREDEFINED.join(',')}}`,
  ])
  const [role, superuser, bypasses, closed, dark, filtering, excess] = rows[0] ?? []
  return {
    role: role ?? '',
    superuser: superuser === 't',
    bypassesRls: bypasses === 't',
    closedSchemas: namesIn(closed),
    unreadable: namesIn(dark),
    filtered: namesIn(filtering),
    excess: excessSchema.parse(JSON.parse(excess ?? '{}')),
  }
}

const names = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? [])

const excessSchema = z.object({
  owns: names,
  writes: names,
  sequences: names,
  creates: names,
  memberOf: names,
  attributes: names,
  database: names,
})

function namesIn(json: string | null | undefined): readonly string[] {
  return names.parse(JSON.parse(json ?? 'null'))
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
  const { owns, writes, sequences, creates, memberOf, attributes, database } = facts.excess
  const list = (all: readonly string[]) => all.map(identifier).join(', ')
  const all = memberOf.includes('pg_write_all_data')
  const found: [readonly string[], string, string][] = [
    [memberOf, `is a member of ${memberOf.join(', ')}`, `revoke ${memberOf.join(', ')} from ${role};`],
    [
      owns,
      `owns tables of ${list(owns)}`,
      'reassign owned, or a role of its own: npm run audit -- --print-role',
    ],
    [
      all ? [] : writes,
      `may write to tables of ${list(writes)}`,
      `revoke insert, update, delete, truncate on all tables in schema ${list(writes)} from ${role};`,
    ],
    [
      all ? [] : sequences,
      `may move sequences of ${list(sequences)}`,
      `revoke usage, update on all sequences in schema ${list(sequences)} from ${role};`,
    ],
    [
      creates,
      `may create in schema ${list(creates)}`,
      `revoke create on schema ${list(creates)} from ${role};`,
    ],
    [
      database,
      `may create schemas in ${list(database)}`,
      `revoke create on database ${list(database)} from ${role};`,
    ],
    [
      attributes,
      `has ${attributes.join(', ')}`,
      `alter role ${role} ${attributes.map((attribute) => `no${attribute}`).join(' ')};`,
    ],
  ]
  const told = found.filter(([names]) => names.length > 0)
  if (told.length === 0) return []
  const may = told.map(([, what]) => what).join('; ')
  const mend = told.map(([, , statement]) => statement).join(' ')
  return [
    `the role ${role} can do more than read: it ${may}. The audit does not; on the primary: ${mend} (what it has by another role, or by public, is revoked from those)`,
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
