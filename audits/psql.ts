import type { Stage } from './stage.ts'

interface Subject {
  readonly subjectType: string
  readonly subjectId: string
  readonly userId: string | null
}

/** The keys of a ledger row's metadata that name a fact. */
const METADATA: Readonly<Record<string, string>> = {
  checkout_session: 'stripe_session_id',
  payment_intent: 'stripe_payment_intent',
  invoice: 'stripe_invoice_id',
  trial: 'stripe_subscription_id',
  admin_request: 'request_id',
}

/**
 * The line for a shell that shows a violation's subject; null for a type of subject that is not known here.
 * psql asks for the password, or takes PGPASSWORD or ~/.pgpass.
 *
 * @param url without password
 */
export function psqlLine(url: string, stage: Stage, subject: Subject): string | null {
  const sql = subjectSql(subject, stage)
  return sql === null ? null : `psql ${quoted(url)} -c ${quoted(sql)}`
}

/** One select that shows the subject: rows of the ledger, or, for what guards it, of Postgres' catalogue. */
export function subjectSql(subject: Subject, stage: Stage): string | null {
  const { subjectType: type, subjectId: id, userId: user } = subject
  const usage = (where: string) => `select * from public.token_usage where ${where} order by created_at`
  const metadataKey = METADATA[type]
  if (metadataKey !== undefined) return usage(`metadata ->> '${metadataKey}' = ${literal(id)}`)
  switch (type) {
    case 'user':
      return usage(`user_id = ${literal(id)}`)
    case 'token_usage':
    case 'token_transactions':
    case 'token_drips':
      return `select * from public.${type} where id = ${literal(id)}`
    case 'grant_key': {
      // What a missing grant leaves to look at are the user's other rows. Before unify no row has a key.
      const keyed = stage === 'unify' || stage === 'retired' ? [`grant_key = ${literal(id)}`] : []
      const named = `strpos(metadata::text, ${literal(id.slice(id.indexOf(':') + 1))}) > 0`
      const owner = user === null ? named : `user_id = ${literal(user)}`
      return usage([...keyed, owner].join(' or '))
    }
    case 'subscription':
      return `select d.* from public.token_drips as d left join public.customer_subscriptions as s on s.id = d.subscription_id where ${literal(id)} in (s.stripe_subscription_id, d.metadata ->> 'stripe_subscription_id', d.subscription_id::text) order by d.cycle_number`
    case 'constraint':
      return `select conname, convalidated, pg_get_constraintdef(oid) from pg_constraint where conrelid = 'public.token_usage'::regclass`
    case 'index':
      return `select indexdef from pg_indexes where schemaname = 'public' and tablename = 'token_usage'`
    case 'function':
      return `select oid::regprocedure, prosecdef, proconfig, proacl from pg_proc where pronamespace = 'public'::regnamespace and proname = ${literal(id)}`
    case 'table':
      return `select relname, relrowsecurity, relacl from pg_class where relnamespace = 'public'::regnamespace and relname = ${literal(id)}`
    case 'policy':
      return `select * from pg_policies where schemaname = 'public' and policyname = ${literal(id)}`
    case 'privilege': {
      const [, table = ''] = / on (\w+)(?:\.\w+)? for /.exec(id) ?? []
      return `select c.relacl, a.attname, a.attacl from pg_class as c left join pg_attribute as a on a.attrelid = c.oid and a.attacl is not null where c.relnamespace = 'public'::regnamespace and c.relname = ${literal(table)}`
    }
    case 'trigger':
      return `select tgrelid::regclass, tgenabled, pg_get_triggerdef(oid) from pg_trigger where tgname = ${literal(beforeOn(id))}`
    case 'rule':
      return `select ev_class::regclass, ev_enabled, pg_get_ruledef(oid) from pg_rewrite where rulename = ${literal(beforeOn(id))}`
    default:
      return null
  }
}

/** `name on table` → `name` */
function beforeOn(id: string): string {
  const at = id.lastIndexOf(' on ')
  return at < 0 ? id : id.slice(0, at)
}

/** A text as a constant of SQL on one line; an id may be anything that the database holds. */
function literal(text: string): string {
  const plain = /^[^\p{C}\p{Zl}\p{Zp}\\]*$/u.test(text)
  if (plain) return `'${text.replaceAll("'", "''")}'`
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll("'", "''")
    .replace(
      /[\p{C}\p{Zl}\p{Zp}]/gu,
      (char) => `\\U${(char.codePointAt(0) ?? 0).toString(16).padStart(8, '0')}`,
    )
  return `e'${escaped}'`
}

/** A text as one word of a shell, which nothing in it can leave. */
function quoted(text: string): string {
  return /["$`\\!]/.test(text) ? `'${text.replaceAll("'", `'\\''`)}'` : `"${text}"`
}
