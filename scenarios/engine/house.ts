import type { ClientBase } from 'pg'
import type { Person } from '../../fixtures/people.ts'
import { OTHER_PRICE, PLANS, type Price } from '../../fixtures/stripe/prices.ts'
import type { Cast } from './cast.ts'
import { theRest } from './made-up.ts'
import type { Act, HouseAct } from './story.ts'

/** Makes the app's users: an account, an active profile with nothing on it, and a draft that copies it. */
export type AddUsers = (people: Iterable<Person>) => Promise<void>

/** For as long as the tables of users and profiles stay as they are: what they need beside our columns is looked up once. */
export async function usersIn(client: ClientBase): Promise<AddUsers> {
  const profile = await theRest(client, 'public.user_profiles', ['user_id'])
  const draft = await theRest(client, 'public.user_profiles', DRAFT)
  return async (people) => {
    for (const [row, { userId, email, hasDraft }] of [...people].entries()) {
      await client.query('insert into auth.users (id, email) values ($1, $2)', [userId, email])
      // Many a schema makes the profile itself, by a trigger on auth.users.
      const { rows } = await client.query<{ id: string }>(
        `with made as (
           insert into public.user_profiles (user_id${profile.columns})
           select $1${profile.values(row)}
           where not exists (select from public.user_profiles as p where p.user_id = $1)
           returning id)
         select id from made union all select p.id from public.user_profiles as p where p.user_id = $1`,
        [userId],
      )
      if (!hasDraft) continue
      await client.query(
        `insert into public.user_profiles (${DRAFT.join(', ')}${draft.columns})
         values ($1, 2, true, false, $2${draft.values(row)})`,
        [userId, rows[0]?.id],
      )
    }
  }
}

const DRAFT = ['user_id', 'version_number', 'is_draft', 'is_active', 'parent_version_id']

const OTHER_TIER = 'elite'

/** What is sold beside the plans is a tier too: one that grants no tokens. */
export async function addOtherTier(client: ClientBase): Promise<void> {
  await addTier(client, 0, OTHER_TIER, OTHER_PRICE)
}

/**
 * Makes the app's plans those that are sold in the stories: a tier that the schema brings keeps all but its product and
 * price at Stripe, one that it lacks (a dump holds no rows) is added.
 */
export async function addPlanTiers(client: ClientBase): Promise<void> {
  for (const [row, { tier, price }] of Object.values(PLANS).entries()) {
    const { rowCount } = await client.query(
      `update public.membership_tiers set stripe_product_id = $2, stripe_price_id = $3
       where id = (select t.id from public.membership_tiers as t where t.tier_type::text = $1 order by t.id limit 1)`,
      [tier, price.product, price.id],
    )
    if (rowCount !== 0) continue
    await addTier(client, row + 1, tier, price)
  }
}

async function addTier(
  client: ClientBase,
  row: number,
  tier: string,
  { name, product, id }: Price,
): Promise<void> {
  const rest = await theRest(client, 'public.membership_tiers', TIER)
  await client.query(
    `insert into public.membership_tiers (${TIER.join(', ')}${rest.columns})
     values ($1, $2, $3, $4${rest.values(row)}) on conflict do nothing`,
    [name, tier, product, id],
  )
}

const TIER = ['name', 'tier_type', 'stripe_product_id', 'stripe_price_id']

/** What is done to our own database; nobody tells the app of it. */
export type ActInDatabase = Exclude<HouseAct, { do: 'use-old-endpoint' }>

const IN_DATABASE: ReadonlySet<string> = new Set<ActInDatabase['do']>([
  'set-tier-price',
  'give-subscription-row',
  'lose-profile',
  'regain-profile',
  'null-balance',
  'leave-subscription-row',
])

export const isInDatabase = (act: Act): act is ActInDatabase => IN_DATABASE.has(act.do)

/** Does what the act says in our own database. */
export async function actInHouse(client: ClientBase, cast: Cast, act: ActInDatabase): Promise<void> {
  const { rowCount } = await inHouse(client, cast, act)
  if (rowCount !== 1) throw new Error(`${act.do} changed ${rowCount} rows, not one`)
}

async function inHouse(
  client: ClientBase,
  cast: Cast,
  act: ActInDatabase,
): Promise<{ rowCount: number | null }> {
  switch (act.do) {
    case 'set-tier-price': {
      const { tier, price } =
        act.plan === 'other' ? { tier: OTHER_TIER, price: OTHER_PRICE } : PLANS[act.plan]
      return client.query(
        'update public.membership_tiers set stripe_price_id = $2 where tier_type::text = $1',
        [tier, act.known ? price.id : `${price.id}_of_last_year`],
      )
    }
    case 'give-subscription-row':
      return client.query(
        'update public.customer_subscriptions set user_id = $2 where stripe_subscription_id = $1',
        [cast.subscriptionOf(act.who), cast.person(act.to).userId],
      )
    case 'lose-profile':
      return client.query('delete from public.user_profiles where user_id = $1 and is_draft is not true', [
        cast.person(act.who).userId,
      ])
    case 'regain-profile': {
      const profile = await theRest(client, 'public.user_profiles', ['user_id'])
      return client.query(
        `insert into public.user_profiles (user_id${profile.columns}) values ($1${profile.values(0)})`,
        [cast.person(act.who).userId],
      )
    }
    case 'null-balance':
      return client.query(
        'update public.user_profiles set vibe_assistant_tokens_remaining = null where user_id = $1',
        [cast.person(act.who).userId],
      )
    case 'leave-subscription-row': {
      const rest = await theRest(client, 'public.customer_subscriptions', LEFT_OVER)
      return client.query(
        `insert into public.customer_subscriptions (${LEFT_OVER.join(', ')}${rest.columns})
         values ($1, 'sub_of_test_mode', 'active'${rest.values(0)})`,
        [cast.person(act.who).userId],
      )
    }
  }
}

const LEFT_OVER = ['user_id', 'stripe_subscription_id', 'status']
