/** How far a database is on the road from two ledgers to one. */
export const STAGES = ['as-found', 'view', 'unify', 'retired'] as const
export type Stage = (typeof STAGES)[number]

/** What the database says about its stage, in two ways that must agree: what was recorded, and what is there. */
export interface StageFacts {
  /** Rows of public.token_ledger_stage; null: there is no such table. */
  readonly recorded: readonly string[] | null
  /** public.token_usage is there. */
  readonly usage: boolean
  /** Column public.token_usage.grant_key is there. */
  readonly grantKey: boolean
  /** View public.token_ledger is there. */
  readonly ledger: boolean
  /** public.token_transactions is there. */
  readonly legacy: boolean
}

/** Reads everything but the recorded rows. Needs no privilege on any table. */
export const STAGE_FACTS_SQL = `
select
  pg_catalog.to_regclass('public.token_ledger_stage') is not null as recorded,
  pg_catalog.to_regclass('public.token_usage') is not null as usage,
  pg_catalog.to_regclass('public.token_transactions') is not null as legacy,
  exists (
    select from pg_catalog.pg_class as c
    where c.oid = pg_catalog.to_regclass('public.token_ledger') and c.relkind in ('v', 'm')
  ) as ledger,
  exists (
    select from pg_catalog.pg_attribute as a
    where a.attrelid = pg_catalog.to_regclass('public.token_usage') and a.attname = 'grant_key' and not a.attisdropped
  ) as grant_key`

export const STAGE_RECORDED_SQL = 'select s.stage from public.token_ledger_stage as s order by s.stage'

export type StageReading = { readonly stage: Stage } | { readonly unclear: string }

/**
 * The stage, or why it can't be told: a migration that was rolled back by half must not turn into a shorter list of
 * rules.
 */
export function stageOf(facts: StageFacts): StageReading {
  if (!facts.usage) {
    return { unclear: 'there is no table public.token_usage: is this the database of the app?' }
  }
  const recorded = facts.recorded ?? []
  const strange = recorded.filter((row) => row === 'as-found' || !isStage(row))
  if (strange.length > 0) {
    return {
      unclear: `public.token_ledger_stage holds a stage that this audit does not know: ${strange.join(', ')}`,
    }
  }
  const stage = [...STAGES].reverse().find((name) => recorded.includes(name)) ?? 'as-found'
  const at = STAGES.indexOf(stage)
  const says =
    stage === 'as-found'
      ? 'public.token_ledger_stage records no stage'
      : `public.token_ledger_stage says '${stage}'`
  const expected: [boolean, boolean, string][] = [
    [facts.ledger, at >= STAGES.indexOf('view'), 'view public.token_ledger'],
    [facts.grantKey, at >= STAGES.indexOf('unify'), 'column public.token_usage.grant_key'],
  ]
  if (stage === 'retired') {
    expected.push([facts.legacy, false, 'table public.token_transactions'])
  }
  for (const [there, should, what] of expected) {
    if (there !== should) {
      return {
        unclear: `${says}, but ${what} is ${there ? 'there' : 'missing'}: is a migration under way, or was one run by half?`,
      }
    }
  }
  return { stage }
}

export function isStage(value: string): value is Stage {
  return (STAGES as readonly string[]).includes(value)
}
