import type { Client } from 'pg'

/** An install of the app: how its database differs from the as-found one, and how a legacy row is written there. */
export interface Install {
  readonly name: string
  /** From the as-found schema, empty, to this one. */
  readonly sql: string
  /** What status says of token_transactions. */
  readonly shape: string
  readonly transactions: 'first' | 'second'
  readonly drips: boolean
}

const FIRST = 'with action_type and tokens_used'
const OLD_ENUM = `
  create type public.old_action_type as enum (
    'chat', 'refinement', 'blueprint', 'audio_generation', 'transcription', 'image_generation', 'assessment',
    'manual_adjustment', 'subscription_grant', 'renewal_grant', 'pack_purchase');
  alter table public.token_transactions alter column action_type type public.old_action_type
    using action_type::text::public.old_action_type;
  drop type public.token_action_type;
  alter type public.old_action_type rename to token_action_type;`
const NO_STRIPE = `
  alter table public.token_transactions
    drop column amount_paid_cents, drop column currency, drop column stripe_payment_intent_id,
    drop column stripe_session_id, drop column subscription_id, drop column token_pack_id, drop column notes,
    drop column created_by;`

/** Every shape that the app's tables are known to have. */
export const INSTALLS: readonly Install[] = [
  { name: 'as found', sql: '', shape: FIRST, transactions: 'first', drips: true },
  { name: 'before the Stripe columns', sql: NO_STRIPE, shape: FIRST, transactions: 'first', drips: true },
  { name: 'with the older enum', sql: OLD_ENUM, shape: FIRST, transactions: 'first', drips: true },
  {
    name: 'with action types as text',
    sql: 'alter table public.token_transactions alter column action_type type text;',
    shape: FIRST,
    transactions: 'first',
    drips: true,
  },
  {
    name: 'with fewer values in the CHECK',
    sql: `alter table public.token_usage drop constraint token_usage_action_type_check;
      alter table public.token_usage add constraint token_usage_action_type_check
        check (action_type in ('chat_conversation', 'admin_grant', 'admin_deduct'));`,
    shape: FIRST,
    transactions: 'first',
    drips: true,
  },
  {
    name: 'with more values in a CHECK of another name',
    sql: `alter table public.token_usage drop constraint token_usage_action_type_check;
      alter table public.token_usage add constraint usage_types check (action_type = any ('{chat_conversation,
        vision_refinement,admin_grant,admin_deduct,"it''s new",voice_profile_analysis}'::text[]));`,
    shape: FIRST,
    transactions: 'first',
    drips: true,
  },
  {
    name: 'before the 28-day plan',
    sql: 'drop table public.token_drips;',
    shape: FIRST,
    transactions: 'first',
    drips: false,
  },
  {
    name: 'with a default balance of 100',
    sql: 'alter table public.user_profiles alter column vibe_assistant_tokens_remaining set default 100;',
    shape: FIRST,
    transactions: 'first',
    drips: true,
  },
  {
    name: 'of the second shape',
    sql: `drop table public.token_transactions;
      create table public.token_transactions (
        id uuid primary key default gen_random_uuid(),
        user_id uuid not null references auth.users (id) on delete cascade,
        transaction_type text not null,
        token_amount int not null,
        balance_before int not null,
        balance_after int not null,
        source text,
        created_at timestamptz not null default now());
      alter table public.token_transactions enable row level security;`,
    shape: 'with transaction_type and token_amount',
    transactions: 'second',
    drips: true,
  },
  {
    name: 'with neither Stripe columns, newer enum values nor drips',
    sql: `${NO_STRIPE + OLD_ENUM}drop table public.token_drips;`,
    shape: FIRST,
    transactions: 'first',
    drips: false,
  },
]

/** A legacy row, in whichever shape the table has. `before` is told by the second shape alone. */
export interface LegacyRow {
  readonly type: string
  readonly tokens: number
  readonly before: number
  readonly after: number
  /** ISO. */
  readonly at: string
  readonly session?: string
}

export async function insertLegacy(
  db: Client,
  { transactions }: Pick<Install, 'transactions'>,
  user: string,
  row: LegacyRow,
): Promise<string> {
  const { rows } =
    transactions === 'second'
      ? await db.query<{ id: string }>(
          `insert into public.token_transactions
             (user_id, transaction_type, token_amount, balance_before, balance_after, source, created_at)
           values ($1, $2, $3, $4, $5, 'app', $6) returning id`,
          [user, row.type, row.tokens, row.before, row.after, row.at],
        )
      : await db.query<{ id: string }>(
          `insert into public.token_transactions
             (user_id, action_type, tokens_used, tokens_remaining, metadata, created_at)
           values ($1, $2, $3, $4, $5, $6) returning id`,
          [
            user,
            row.type,
            row.tokens,
            row.after,
            row.session ? { stripe_session_id: row.session } : {},
            row.at,
          ],
        )
  const [first] = rows
  if (first === undefined) throw new Error('no row was inserted')
  return first.id
}
