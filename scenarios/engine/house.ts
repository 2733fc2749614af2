import type { ClientBase } from 'pg'
import type { Person } from '../../fixtures/people.ts'
import { OTHER_PRICE, PLANS } from '../../fixtures/stripe/prices.ts'
import type { Cast } from './cast.ts'
import type { HouseAct } from './story.ts'

/** Makes the app's users: an account, an active profile with nothing on it, and a draft that copies it. */
export async function addUsers(client: ClientBase, people: Iterable<Person>): Promise<void> {
  for (const { userId, email, hasDraft } of people) {
    await client.query('insert into auth.users (id, email) values ($1, $2)', [userId, email])
    // Many a schema makes the profile itself, by a trigger on auth.users.
    const { rows } = await client.query<{ id: string }>(
      `with made as (
         insert into public.user_profiles (user_id)
         select $1 where not exists (select from public.user_profiles as p where p.user_id = $1)
         returning id)
       select id from made union all select p.id from public.user_profiles as p where p.user_id = $1`,
      [userId],
    )
    if (!hasDraft) continue
    await client.query(
      `insert into public.user_profiles (user_id, version_number, is_draft, is_active, parent_version_id)
       values ($1, 2, true, false, $2)`,
      [userId, rows[0]?.id],
    )
  }
}

/** What is sold beside the plans is a tier too: one that grants no tokens. */
export async function addOtherTier(client: ClientBase): Promise<void> {
  await client.query(
    `insert into public.membership_tiers (name, tier_type, billing_interval, stripe_product_id, stripe_price_id)
     values ($1, 'elite', 'year', $2, $3) on conflict do nothing`,
    [OTHER_PRICE.name, OTHER_PRICE.product, OTHER_PRICE.id],
  )
}

/**
 * Makes the app's plans those that are sold in the stories: a tier that the schema brings keeps all but its product and
 * price at Stripe, one that it lacks (a dump holds no rows) is added.
 */
export async function addPlanTiers(client: ClientBase): Promise<void> {
  for (const { tier, price } of Object.values(PLANS)) {
    const { rowCount } = await client.query(
      `update public.membership_tiers set stripe_product_id = $2, stripe_price_id = $3
       where id = (select t.id from public.membership_tiers as t where t.tier_type::text = $1 order by t.id limit 1)`,
      [tier, price.product, price.id],
    )
    if (rowCount !== 0) continue
    await client.query(
      `insert into public.membership_tiers (name, tier_type, stripe_product_id, stripe_price_id)
       values ($1, $2, $3, $4)`,
      [price.name, tier, price.product, price.id],
    )
  }
}

/** Does what the act says in our own database. */
export async function actInHouse(client: ClientBase, cast: Cast, act: HouseAct): Promise<void> {
  const { rowCount } =
    act.do === 'set-tier-price'
      ? await client.query(
          'update public.membership_tiers set stripe_price_id = $2 where tier_type::text = $1',
          [
            PLANS[act.plan].tier,
            act.known ? PLANS[act.plan].price.id : `${PLANS[act.plan].price.id}_of_last_year`,
          ],
        )
      : await client.query(
          'update public.customer_subscriptions set user_id = $2 where stripe_subscription_id = $1',
          [cast.subscriptionOf(act.who), cast.person(act.to).userId],
        )
  if (rowCount !== 1) throw new Error(`${act.do} changed ${rowCount} rows, not one`)
}
