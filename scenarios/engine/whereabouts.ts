import type { ClientBase } from 'pg'
import type { Entitlement } from '../../audits/evidence.ts'
import { count } from './story.ts'

/** Where the grants of one path ended up, on a database as it was found. */
export interface Whereabouts {
  readonly path: string
  readonly owed: Sum
  readonly inUsage: Sum
  readonly inTransactions: Sum
  readonly inDrips: Sum
}

export interface Sum {
  readonly grants: number
  /** Tokens. */
  readonly tokens: bigint
}

const PATHS: readonly {
  path: string
  is: (owed: Entitlement) => boolean
  usage: string
  transactions: string
  drips: string
}[] = [
  {
    path: 'token packs',
    is: ({ kind }) => kind === 'checkout_session',
    usage: `action_type = 'admin_grant' and metadata ? 'stripe_session_id'`,
    transactions: `action_type::text in ('pack_purchase', 'token_pack_purchase')`,
    drips: 'false',
  },
  {
    path: 'admin grants',
    is: ({ kind, action_type }) => kind === 'admin' && action_type === 'admin_grant',
    usage: `action_type = 'admin_grant' and not metadata ? 'stripe_session_id'`,
    transactions: `action_type::text = 'admin_grant'`,
    drips: 'false',
  },
  {
    path: 'annual plans',
    is: ({ kind, plan }) => kind === 'invoice' && plan === 'annual',
    usage: `action_type = 'subscription_grant' and tokens_used = 5000000`,
    transactions: `action_type::text in ('annual_subscription_grant', 'subscription_grant', 'renewal_grant')`,
    drips: 'false',
  },
  {
    path: '28-day plans',
    is: ({ kind, plan }) => kind === 'invoice' && plan === '28day',
    usage: `action_type = 'subscription_grant' and tokens_used = 375000`,
    transactions: 'false',
    drips: 'true',
  },
  {
    path: 'trials',
    is: ({ kind }) => kind === 'trial',
    usage: `action_type = 'trial_grant'`,
    transactions: `action_type::text = 'trial_grant'`,
    drips: 'false',
  },
]

/** The question of the audit document: what is owed, and in which table it is. */
export async function whereabouts(client: ClientBase, owed: readonly Entitlement[]): Promise<Whereabouts[]> {
  const sum = async (table: string, tokens: string, where: string): Promise<Sum> => {
    const { rows } = await client.query<{ grants: string; tokens: string }>(
      `select count(*) as grants, coalesce(sum(${tokens}), 0) as tokens from public.${table} where ${where}`,
    )
    return { grants: Number(rows[0]?.grants), tokens: BigInt(rows[0]?.tokens ?? 0) }
  }
  const found: Whereabouts[] = []
  for (const { path, is, usage, transactions, drips } of PATHS) {
    const facts = owed.filter(is)
    found.push({
      path,
      owed: { grants: facts.length, tokens: facts.reduce((all, { tokens }) => all + BigInt(tokens), 0n) },
      inUsage: await sum('token_usage', 'tokens_used', usage),
      inTransactions: await sum('token_transactions', 'abs(tokens_used)', transactions),
      inDrips: await sum('token_drips', 'drip_amount', drips),
    })
  }
  return found
}

/** The table of the audit document, measured. */
export function renderWhereabouts(found: readonly Whereabouts[]): string {
  const said = ({ grants, tokens }: Sum) => (grants === 0 ? '–' : `${grants} of ${count(tokens)}`)
  const table = [
    ['', 'owed', 'in token_usage', 'in token_transactions', 'in token_drips'],
    ...found.map(({ path, owed, inUsage, inTransactions, inDrips }) => [
      path,
      ...[owed, inUsage, inTransactions, inDrips].map(said),
    ]),
  ]
  return table
    .map((row) =>
      row
        .map((cell) => cell.padEnd(24))
        .join('')
        .trimEnd(),
    )
    .join('\n')
}
