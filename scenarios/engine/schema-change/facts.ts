import type { ClientBase } from 'pg'
import { z } from 'zod'
import { SUPABASE_SCHEMAS } from '../../../fixtures/schema/outside.ts'
import { valuesOf } from './values.ts'

/** A function of the app's. */
export interface FunctionFact {
  /** Schema and name, quoted where Postgres would. */
  readonly name: string
  /** Schema, name and types of the arguments. */
  readonly signature: string
  /** The arguments that a caller gives; one without a name has null. */
  readonly args: readonly { readonly name: string | null; readonly type: string }[]
  /** So many of the last arguments have a default. */
  readonly defaults: number
  readonly variadic: boolean
  readonly isTrigger: boolean
  readonly isDefiner: boolean
  readonly pinsSearchPath: boolean
  readonly isProcedure: boolean
  /** Postgres has a function of this name itself: a call without schema may mean that one. */
  readonly isBuiltIn: boolean
  readonly body: string
}

/** Something that a role of the API may do. */
export interface Opening {
  readonly role: string
  readonly verb: string
  readonly object: string
  readonly column: string | null
  /** How, in words: by a policy, without row security, with whose rights. */
  readonly by: string
  /** All of these must be true of a row; another way whose conditions are among them is as wide, or wider. */
  readonly conditions: readonly string[]
}

/** What a schema change must not take away or open, by names that survive a change. */
export interface Facts {
  /** The values that a column's CHECKs, or an enum, allow. */
  readonly values: ReadonlyMap<string, readonly string[]>
  readonly functions: ReadonlyMap<string, FunctionFact>
  readonly openings: ReadonlyMap<string, Opening>
  /** What service_role, as which the app's routes come, may do: `INSERT public.token_usage`. */
  readonly rights: ReadonlySet<string>
  /** What is unique, and in which rows: the definitions of unique indexes, without their names. */
  readonly uniques: ReadonlySet<string>
  /** Tables, views and functions; the columns of tables and views. */
  readonly objects: ReadonlySet<string>
}

const OF_THE_APP = `n.nspname <> all ($1::text[]) and n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'`
const NO_EXTENSION = (catalogue: string) => `not exists (
  select from pg_catalog.pg_depend as d where d.classid = '${catalogue}'::regclass and d.objid = o.oid and d.deptype = 'e')`

const CHECKS = `
  select format('%I.%I.%I', n.nspname, o.relname, a.attname) as key, pg_get_constraintdef(k.oid) as definition
  from pg_catalog.pg_constraint as k
  join pg_catalog.pg_class as o on o.oid = k.conrelid
  join pg_catalog.pg_namespace as n on n.oid = o.relnamespace
  join pg_catalog.pg_attribute as a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
  where k.contype = 'c' and cardinality(k.conkey) = 1 and ${OF_THE_APP}
  order by k.conname`

const ENUMS = `
  select format('enum %I.%I', n.nspname, o.typname) as key, array_agg(e.enumlabel::text order by e.enumsortorder) as labels
  from pg_catalog.pg_enum as e
  join pg_catalog.pg_type as o on o.oid = e.enumtypid
  join pg_catalog.pg_namespace as n on n.oid = o.typnamespace
  where ${OF_THE_APP} and ${NO_EXTENSION('pg_type')}
  group by 1`

const FUNCTIONS = `
  select
    format('%I.%I', n.nspname, o.proname) as name,
    o.oid::regprocedure::text as signature,
    coalesce((
      select json_agg(json_build_object('name', nullif(i.name, ''), 'type', format_type(i.type, null)) order by i.place)
      from unnest(
        coalesce(o.proallargtypes, o.proargtypes::oid[]),
        coalesce(o.proargmodes, array_fill('i'::"char", array[o.pronargs::int])),
        coalesce(o.proargnames, array_fill(''::text, array[o.pronargs::int]))
      ) with ordinality as i (type, mode, name, place)
      where i.mode in ('i', 'b', 'v')), '[]') as args,
    o.pronargdefaults as defaults,
    o.provariadic <> 0 as variadic,
    o.prorettype in ('trigger'::regtype, 'event_trigger'::regtype) as "isTrigger",
    o.prosecdef as "isDefiner",
    coalesce(o.proconfig::text like '%search_path=%', false) as "pinsSearchPath",
    o.prokind = 'p' as "isProcedure",
    exists (
      select from pg_catalog.pg_proc as b
      where b.pronamespace = 'pg_catalog'::regnamespace and b.proname = o.proname) as "isBuiltIn",
    coalesce(pg_get_function_sqlbody(o.oid), o.prosrc) as body
  from pg_catalog.pg_proc as o
  join pg_catalog.pg_namespace as n on n.oid = o.pronamespace
  where o.prokind in ('f', 'p') and ${OF_THE_APP} and ${NO_EXTENSION('pg_proc')}`

const ROLES = `unnest(array['anon', 'authenticated', 'service_role']) as r (role)`

/** Column by column where Postgres grants by column; a view without security_invoker shows what its owner sees. */
const TABLES = `
  select r.role, v.verb, format('%I.%I', n.nspname, o.relname) as object,
    o.relkind in ('v', 'm') as "isView",
    coalesce(o.reloptions::text ~ 'security_invoker=(true|on|yes|1)', false) as "isInvoker",
    o.relrowsecurity as "hasRowSecurity",
    case when v.by_column then array(
      select a.attname::text from pg_catalog.pg_attribute as a
      where a.attrelid = o.oid and a.attnum > 0 and not a.attisdropped
        and has_column_privilege(r.role, o.oid, a.attnum, v.verb)
      order by a.attnum)
    when has_table_privilege(r.role, o.oid, v.verb) then array['*'] else '{}' end as columns,
    array(
      select a.attname::text from pg_catalog.pg_attribute as a
      where a.attrelid = o.oid and a.attnum > 0 and not a.attisdropped) as every
  from pg_catalog.pg_class as o
  join pg_catalog.pg_namespace as n on n.oid = o.relnamespace
  cross join ${ROLES}
  cross join (values (1, 'SELECT', true), (2, 'INSERT', true), (3, 'UPDATE', true), (4, 'DELETE', false))
    as v (place, verb, by_column)
  where o.relkind in ('r', 'p', 'v', 'm', 'f') and ${OF_THE_APP} and ${NO_EXTENSION('pg_class')}
    and has_schema_privilege(r.role, n.oid, 'usage')
  order by object, r.role, v.place`

const POLICIES = `
  select format('%I.%I', p.schemaname, p.tablename) as object, p.policyname as name,
    p.permissive = 'PERMISSIVE' as permissive, p.roles::text[] as roles, p.cmd, p.qual, p.with_check as check
  from pg_catalog.pg_policies as p
  where p.schemaname <> all ($1::text[])
  order by p.policyname`

const EXECUTES = `
  select r.role, o.oid::regprocedure::text as object
  from pg_catalog.pg_proc as o
  join pg_catalog.pg_namespace as n on n.oid = o.pronamespace
  cross join ${ROLES}
  where ${OF_THE_APP} and ${NO_EXTENSION('pg_proc')} and o.prorettype <> 'trigger'::regtype
    and has_schema_privilege(r.role, n.oid, 'usage') and has_function_privilege(r.role, o.oid, 'execute')
  order by object, r.role`

const UNIQUES = `
  select regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE UNIQUE INDEX \\S+ ON (ONLY )?', '') as what
  from pg_catalog.pg_index as i
  join pg_catalog.pg_class as o on o.oid = i.indrelid
  join pg_catalog.pg_namespace as n on n.oid = o.relnamespace
  where i.indisunique and i.indisvalid and o.relkind in ('r', 'p') and ${OF_THE_APP}`

/** As whom the app's routes come. */
const APP = 'service_role'

const Checks = z.array(z.object({ key: z.string(), definition: z.string() }))
const Enums = z.array(z.object({ key: z.string(), labels: z.array(z.string()) }))
const Functions = z.array(
  z.object({
    name: z.string(),
    signature: z.string(),
    args: z.array(z.object({ name: z.string().nullable(), type: z.string() })),
    defaults: z.number().int(),
    variadic: z.boolean(),
    isTrigger: z.boolean(),
    isDefiner: z.boolean(),
    pinsSearchPath: z.boolean(),
    isProcedure: z.boolean(),
    isBuiltIn: z.boolean(),
    body: z.string(),
  }),
)
const Tables = z.array(
  z.object({
    role: z.string(),
    verb: z.string(),
    object: z.string(),
    isView: z.boolean(),
    isInvoker: z.boolean(),
    hasRowSecurity: z.boolean(),
    columns: z.array(z.string()),
    every: z.array(z.string()),
  }),
)
const Policies = z.array(
  z.object({
    object: z.string(),
    name: z.string(),
    permissive: z.boolean(),
    roles: z.array(z.string()),
    cmd: z.string(),
    qual: z.string().nullable(),
    check: z.string().nullable(),
  }),
)
type Policy = z.infer<typeof Policies>[number]

/** Reads the catalogue of a database; its tables are not looked at. */
export async function readFacts(client: ClientBase): Promise<Facts> {
  const schemas = [[...SUPABASE_SCHEMAS]]
  // Names are printed with their schema, whatever the session's path is.
  const { rows: path } = await client.query<{ path: string }>(`select current_setting('search_path') as path`)
  await client.query(`select set_config('search_path', '', false)`)
  const checks = Checks.parse((await client.query(CHECKS, schemas)).rows)
  const enums = Enums.parse((await client.query(ENUMS, schemas)).rows)
  const functions = Functions.parse((await client.query(FUNCTIONS, schemas)).rows)
  const tables = Tables.parse((await client.query(TABLES, schemas)).rows)
  const policies = Policies.parse((await client.query(POLICIES, schemas)).rows)
  const { rows: executes } = await client.query<{ role: string; object: string }>(EXECUTES, schemas)
  const { rows: uniques } = await client.query<{ what: string }>(UNIQUES, schemas)
  await client.query(`select set_config('search_path', $1, false)`, [path[0]?.path])

  const definers = new Set(functions.filter(({ isDefiner }) => isDefiner).map(({ signature }) => signature))
  const openings: Opening[] = [
    ...tables.flatMap((table) => openingsOf(table, policies)),
    ...executes.map(({ role, object }) => ({
      role,
      verb: 'EXECUTE',
      object,
      column: null,
      ...(definers.has(object)
        ? { by: 'which runs with its owner’s rights', conditions: [] }
        : { by: 'which runs with the caller’s rights', conditions: ['the caller’s rights'] }),
    })),
  ]
  return {
    values: new Map([
      ...(await valuesByColumn(checks)),
      ...enums.map(({ key, labels }) => [key, labels] as const),
    ]),
    functions: new Map(functions.map((one) => [one.signature, one])),
    openings: new Map(
      openings.filter(({ role }) => role !== APP).map((one) => [JSON.stringify(Object.values(one)), one]),
    ),
    rights: new Set([
      ...tables.flatMap(({ role, verb, object, columns }) =>
        role === APP && columns.length > 0 ? [`${verb} ${object}`] : [],
      ),
      ...executes.flatMap(({ role, object }) => (role === APP ? [`EXECUTE ${object}`] : [])),
    ]),
    uniques: new Set(uniques.map(({ what }) => what)),
    objects: new Set([
      ...tables.flatMap(({ object, every }) => [object, ...every.map((column) => `${object}.${column}`)]),
      ...functions.map(({ signature }) => signature),
    ]),
  }
}

/** What all CHECKs of a column allow. */
async function valuesByColumn(checks: z.infer<typeof Checks>): Promise<Map<string, readonly string[]>> {
  const values = new Map<string, readonly string[]>()
  for (const { key, definition } of checks) {
    const allowed = await valuesOf(definition)
    if (allowed === undefined) continue
    const before = values.get(key)
    values.set(key, before === undefined ? allowed : before.filter((value) => allowed.includes(value)))
  }
  return values
}

function openingsOf(
  { columns, ...table }: z.infer<typeof Tables>[number],
  policies: readonly Policy[],
): Opening[] {
  const { role, verb, object } = table
  return waysTo(table, policies).flatMap((way) =>
    columns.map((column) => ({ role, verb, object, column: column === '*' ? null : column, ...way })),
  )
}

type Way = Pick<Opening, 'by' | 'conditions'>

function waysTo(
  { role, verb, object, isView, isInvoker, hasRowSecurity }: Omit<z.infer<typeof Tables>[number], 'columns'>,
  policies: readonly Policy[],
): Way[] {
  if (isView && isInvoker) return [{ by: 'with the reader’s rights', conditions: ['the reader’s rights'] }]
  if (isView) return [{ by: 'with its owner’s rights', conditions: [] }]
  if (!hasRowSecurity) return [{ by: 'without row security', conditions: [] }]
  const apply = policies.filter(
    (policy) =>
      policy.object === object &&
      (policy.cmd === 'ALL' || policy.cmd === verb) &&
      policy.roles.some((name) => name === role || name === 'public'),
  )
  const limits = apply.filter(({ permissive }) => !permissive).flatMap((policy) => conditionsOf(policy, verb))
  return apply
    .filter(({ permissive }) => permissive)
    .map((policy) => ({
      by: `by ${say(policy)}`,
      conditions: ['a policy', ...conditionsOf(policy, verb), ...limits].sort(),
    }))
}

/** What a policy asks of the rows that are seen, and of those that are left. */
function conditionsOf({ qual, check }: Policy, verb: string): string[] {
  const seen = verb === 'INSERT' ? [] : conjunctsOf(qual)
  const left = verb === 'INSERT' || verb === 'UPDATE' ? conjunctsOf(check ?? qual) : []
  return [...seen.map((one) => `using ${one}`), ...left.map((one) => `check ${one}`)]
}

/** `a and b` asks for two things; `(select auth.uid())` is Supabase's advice for `auth.uid()`, and the same. */
function conjunctsOf(expression: string | null): string[] {
  if (expression === null) return []
  const text = expression.replaceAll(/\( *select (auth\.\w+\(\))(?: as \w+)?\)/gi, '$1')
  return splitAnd(text).filter((one) => one !== 'true')
}

function splitAnd(expression: string): string[] {
  const text = withoutFence(expression)
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '(') depth++
    if (text[at] === ')') depth--
    if (depth === 0 && / or /i.test(text.slice(at, at + 4))) return [text]
  }
  const parts: string[] = []
  let start = 0
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '(') depth++
    if (text[at] === ')') depth--
    if (depth !== 0 || !/^ and /i.test(text.slice(at, at + 5))) continue
    parts.push(text.slice(start, at))
    start = at + 5
  }
  return parts.length === 0 ? [text] : [...parts, text.slice(start)].flatMap(splitAnd)
}

/** The parentheses around the whole, as often as there are some. */
function withoutFence(text: string): string {
  if (!text.startsWith('(') || !text.endsWith(')')) return text
  let depth = 0
  for (let at = 0; at < text.length - 1; at++) {
    if (text[at] === '(') depth++
    if (text[at] === ')' && --depth === 0) return text
  }
  return withoutFence(text.slice(1, -1))
}

function say({ name, qual, check }: Policy): string {
  const conditions = [
    ...(qual === null ? [] : [`using ${qual}`]),
    ...(check === null ? [] : [`with check ${check}`]),
  ]
  return `policy "${name}" ${conditions.join(' ')}`
}
