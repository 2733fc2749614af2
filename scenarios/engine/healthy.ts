import { Client } from 'pg'
import { type Evidence, entitlements, parseEvidence } from '../../audits/evidence.ts'
import { adjust } from '../../fixtures/migrations/adjust.ts'
import { differences } from '../../fixtures/migrations/differences.ts'
import { retire } from '../../fixtures/migrations/retire.ts'
import { toCsv } from '../../fixtures/migrations/reviewed.ts'
import { migrate } from '../../fixtures/migrations/run.ts'
import { parseTarget } from '../../fixtures/migrations/target.ts'
import { IN_ORDER } from './plan.ts'
import { Play } from './play.ts'
import { playFirstMonth, playSecondMonth } from './two-months.ts'
import { person, step, story } from './voices.ts'

/** What was played on a healthy database: the text of an evidence file. */
export type EvidenceText = string

const ann = person('ann')
const bob = person('bob')

/** Those ways of moving tokens that the app as found tracks as it should. */
const tracked = story({
  name: 'tracked',
  title: 'what the app as found does right',
  people: [ann, bob],
  steps: [
    step(ann.buys('mega'), ann.getsPack(5_000_000n), ann.has(5_000_000n)),
    step(bob.isAdjusted(50_000n, 'welcome'), bob.isGiven(50_000n), bob.has(50_000n)),
    step(ann.uses(1_000n), ann.spends(1_000n), ann.has(4_999_000n)),
    step(ann.failsToUse(5_000n), ann.spends(5_000n, { moves: 0n })),
    step(bob.isAdjusted(-20_000n, 'correction'), bob.isTaken(20_000n), bob.has(30_000n)),
  ],
  asFound: { red: [], redTwice: [] },
})

const pia = person('pia', { balance: 7_000_000n })

/** A refund whose tokens an admin takes back. */
const refund = story({
  name: 'refund',
  title: 'a pack is refunded, and its tokens are taken back',
  people: [pia],
  steps: [
    step(pia.isRefunded('pack', 9_900n)),
    step(pia.isAdjusted(-2_000_000n, 'refund'), pia.isTaken(2_000_000n), pia.has(5_000_000n)),
  ],
  asFound: { red: [], redTwice: [] },
})

/** Fills a database of revision as-found with a month in which nothing went wrong. */
export async function fillAsFound(databaseUrl: string): Promise<EvidenceText> {
  const play = await Play.open({ databaseUrl })
  const app = await play.startApp('as-found')
  try {
    await play.perform(tracked, app, { plan: IN_ORDER, isWatched: false })
    return JSON.stringify(play.evidence())
  } finally {
    await app.close()
    await play.close()
  }
}

/** The same, with the view installed. */
export async function fillView(databaseUrl: string): Promise<EvidenceText> {
  const evidence = await fillAsFound(databaseUrl)
  await migrate(parseTarget(databaseUrl), 'view')
  return evidence
}

/**
 * Fills a database of revision as-found with the two months of one shop, and repairs it between them: its ledger has
 * rows from before unify, copied rows, reviewed corrections, and rows of every function.
 */
export async function fillUnified(databaseUrl: string): Promise<EvidenceText> {
  const play = await Play.open({ databaseUrl })
  try {
    const asFound = await play.startApp('as-found')
    const [first] = await playFirstMonth(play, asFound).finally(() => asFound.close())
    if (first === undefined) throw new Error('the first month was not played')
    await repair(databaseUrl, parseEvidence(JSON.stringify(play.evidence()), 'evidence'))
    const repaired = await play.startApp('repaired')
    try {
      const second = await playSecondMonth(play, repaired, first)
      const last = await play.perform(refund, repaired, { plan: IN_ORDER, cast: first.cast })
      const complaints = [...second.complaints, ...last.complaints]
      if (complaints.length > 0) throw new Error(`not as told:\n${complaints.join('\n')}`)
    } finally {
      await repaired.close()
    }
    await nameRefund(databaseUrl)
    return JSON.stringify(play.evidence())
  } finally {
    await play.close()
  }
}

/** The same, with the legacy table retired. */
export async function fillRetired(databaseUrl: string): Promise<EvidenceText> {
  const evidence = await fillUnified(databaseUrl)
  const retired = await retire(parseTarget(databaseUrl))
  if ('missing' in retired) throw new Error('the legacy table of a healthy database was not retired')
  return evidence
}

/** Unifies a database, and posts every line that differences proposes. */
export async function repair(databaseUrl: string, evidence: Evidence): Promise<void> {
  const target = parseTarget(databaseUrl)
  await migrate(target, 'unify')
  const found = await differences(target, entitlements(evidence))
  await adjust(target, Buffer.from(toCsv(found)))
}

/** The admin's page does not ask which payment a deduction takes back; whoever settles a refund writes it down. */
async function nameRefund(databaseUrl: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query(
      `update public.token_usage as u
       set metadata = u.metadata || jsonb_build_object('stripe_payment_intent', pack.metadata -> 'stripe_payment_intent')
       from (
         select p.user_id, p.metadata from public.token_usage as p
         where p.action_type = 'token_pack_purchase' order by p.created_at desc
       ) as pack
       where u.grant_key like 'admin:%.refund' and pack.user_id = u.user_id`,
    )
  } finally {
    await client.end()
  }
}
