import type { ClientBase } from 'pg'

/** The tables whose rows the ledger's meaning depends on, and in which order and of which kinds their rows are. */
export const TABLES = {
  token_usage: {
    order: 'created_at',
    kindOf: `action_type || case when grant_key like '%:reset' then ' of a reset' else '' end
      || case when not success then ' that failed' else '' end
      || case when balance_after is null then ' without balances' else '' end`,
  },
  user_profiles: {
    order: 'version_number',
    kindOf: `case when is_draft then 'draft' when is_active then 'active' else 'former' end
      || case when exists (select from public.token_usage as u where u.user_id = t.user_id) then '' else ' of nobody' end`,
  },
  customer_subscriptions: { order: 'created_at', kindOf: 'status::text' },
  token_drips: { order: 'drip_date', kindOf: `'drip'` },
  token_transactions: { order: 'created_at', kindOf: 'action_type::text' },
} as const

export type TableName = keyof typeof TABLES

/** A column as the catalogue describes it: what faults can be made in it. */
export interface Column {
  readonly table: TableName
  readonly name: string
  readonly type: string
  readonly isPrimary: boolean
  /** An index forbids two rows of the same value, at least among some rows. */
  readonly isUnique: boolean
  /** The table that its foreign key leads to, with its schema. */
  readonly references: string | null
  /** What its enum, or a CHECK of this column alone, allows; empty: anything of its type. */
  readonly allowed: readonly string[]
}

/** Reads the columns of those tables, in the order of the tables' definitions; generated ones can't be wrong. */
export async function readColumns(client: ClientBase): Promise<readonly Column[]> {
  const { rows } = await client.query<Column>(
    `select
       c.relname as "table", a.attname as name, format_type(a.atttypid, null) as type,
       exists (select from pg_index as i where i.indrelid = c.oid and i.indisprimary and a.attnum = any (i.indkey))
         as "isPrimary",
       exists (
         select from pg_index as i
         where i.indrelid = c.oid and i.indisunique and not i.indisprimary and a.attnum = any (i.indkey)) as "isUnique",
       (select format('%I.%I', r.relnamespace::regnamespace::text, r.relname)
        from pg_constraint as f join pg_class as r on r.oid = f.confrelid
        where f.conrelid = c.oid and f.contype = 'f' and f.conkey = array[a.attnum]) as "references",
       array(
         select e.enumlabel::text from pg_enum as e where e.enumtypid = a.atttypid
         union all
         select m[1] from pg_constraint as k,
           regexp_matches(pg_get_constraintdef(k.oid), '''([^'']*)''::text', 'g') as m
         where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum]
           and pg_get_constraintdef(k.oid) like '%= ANY (ARRAY[%') as allowed
     from pg_class as c
     join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
     where c.relnamespace = 'public'::regnamespace and c.relname = any ($1)
     order by array_position($1, c.relname::text), a.attnum`,
    [Object.keys(TABLES)],
  )
  return rows
}
