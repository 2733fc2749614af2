import { type Fault, saidOf } from './fault.ts'
import { found, quietRule, select } from './world.ts'

const READER = `create role reader login password 'choose one'; grant usage on schema public to reader`

/** What can be wrong with the database, the role, the rule; and what is no fault. */
export const LEDGER_FAULTS: readonly Fault[] = [
  {
    name: 'row-level security would hide every row from the role',
    status: 'not_run',
    exit: 2,
    says: /row-level security would hide rows of .*public\.token_usage.*alter role reader bypassrls;/,
    async run(world) {
      await world.onPrimary(`${READER}; grant select on all tables in schema public to reader`)
      await world.caughtUp()
      const said = saidOf(
        await world.audit({ targets: [{ name: 'replica', url: world.url(world.standby, 'reader') }] }),
      )
      await world.onPrimary('drop owned by reader; drop role reader')
      return said
    },
  },
  {
    name: 'the role may not read a table',
    status: 'error',
    exit: 2,
    says: /no SELECT on public\.token_usage\. As an administrator on the primary: grant select on public\.token_usage to reader;/,
    async run(world) {
      await world.onPrimary(
        `${READER}; alter role reader bypassrls; grant select on public.token_ledger_stage, public.token_ledger_legacy, public.token_audit_heartbeat to reader`,
      )
      await world.caughtUp()
      const said = saidOf(
        await world.audit({ targets: [{ name: 'replica', url: world.url(world.standby, 'reader') }] }),
      )
      await world.onPrimary('drop owned by reader; drop role reader')
      return said
    },
  },
  {
    name: 'the role may not use the schema',
    status: 'not_run',
    exit: 2,
    says: /no USAGE on schema public\. As an administrator on the primary: grant usage on schema public to reader;/,
    async run(world) {
      await world.onPrimary(
        `create role reader login password 'choose one'; revoke usage on schema public from public`,
      )
      await world.caughtUp()
      const said = saidOf(
        await world.audit({ targets: [{ name: 'replica', url: world.url(world.standby, 'reader') }] }),
      )
      await world.onPrimary('grant usage on schema public to public; drop role reader')
      await world.caughtUp()
      return said
    },
  },
  {
    name: 'the role may write',
    status: 'pass',
    exit: 0,
    says: /token_audit can do more than read: it is a member of pg_write_all_data\. .*: revoke pg_write_all_data from token_audit;/,
    async run(world) {
      await world.onPrimary('grant pg_write_all_data to token_audit')
      await world.caughtUp()
      const said = saidOf(await world.audit())
      await world.onPrimary('revoke pg_write_all_data from token_audit')
      await world.caughtUp()
      return said
    },
  },
  {
    name: 'the role is a superuser',
    status: 'pass',
    exit: 0,
    says: /is a superuser.*--print-role/,
    async run(world) {
      const url = new URL(world.standby.url)
      url.pathname = `/${world.database.name}`
      return saidOf(await world.audit({ targets: [{ name: 'replica', url: url.href }] }))
    },
  },
  {
    name: 'the tables are empty',
    status: 'vacuous',
    exit: 2,
    says: /there was nothing to look at/,
    async run(world) {
      const { name, url } = await world.another('unified')
      await world.onPrimary('select 1')
      await select(
        url,
        'create table public.token_audit_heartbeat (beaten_at timestamptz); insert into public.token_audit_heartbeat values (now()); grant select on public.token_audit_heartbeat to token_audit',
      )
      await world.caughtUp()
      return saidOf(
        await world.audit({
          targets: [{ name: 'replica', url: world.url(world.standby, 'token_audit', name) }],
        }),
      )
    },
  },
  {
    name: 'more than half of the rows are gone since the last run',
    status: 'vacuous',
    exit: 2,
    says: /it looked at \d+, and at \d+ when it was last judged/,
    run: async (world) =>
      saidOf(
        await world.twice(
          { catalogue: { invariants: [quietRule({ population: 'select count(*) from public.thing' })] } },
          async () => {
            await world.onPrimary('delete from public.thing where n > 40')
            await world.caughtUp()
          },
        ),
      ),
  },
  {
    name: 'a rule reads a table that is not there',
    status: 'error',
    exit: 2,
    says: /\(42P01\)/,
    run: async (world) =>
      saidOf(
        await world.audit({ catalogue: { invariants: [quietRule({ sql: found('from public.nowhere') })] } }),
      ),
  },
  {
    name: 'a rule writes',
    status: 'error',
    exit: 2,
    says: /must be at the top level|cannot/,
    run: async (world) =>
      saidOf(
        await world.audit({
          catalogue: {
            invariants: [
              quietRule({
                sql: `with gone as (delete from public.token_usage returning id) ${found('from gone')}`,
              }),
            ],
          },
        }),
      ),
  },
  {
    name: 'the budget is used up',
    status: 'not_run',
    exit: 2,
    says: /the budget of 0 s was used up before/,
    run: async (world) => saidOf(await world.audit({ budgetMs: 0 })),
  },
  {
    name: 'tokens moved without a row',
    status: 'fail',
    exit: 1,
    says: /^$/,
    async run(world) {
      const change = (sign: string) =>
        world.onPrimary(
          `update public.user_profiles set vibe_assistant_tokens_remaining = vibe_assistant_tokens_remaining ${sign} 7
           where user_id = (select min(user_id::text)::uuid from public.token_usage)`,
        )
      await change('+')
      await world.caughtUp()
      const said = saidOf(
        await world.audit({ catalogue: { invariants: [world.rule('balance-is-ledger-sum')] } }),
      )
      await change('-')
      await world.caughtUp()
      return said
    },
  },
  {
    name: 'a flow had not settled, and has at the second look',
    status: 'transient',
    exit: 0,
    says: /^transient: 1$/,
    async run(world) {
      const rule = quietRule({
        settleMs: 900_000,
        sql: found('from public.thing as t where t.n = 1'),
      })
      return saidOf(
        await world.audit(
          { catalogue: { invariants: [rule] } },
          {
            wait: async () => {
              await world.onPrimary('delete from public.thing where n = 1')
              await world.caughtUp()
            },
          },
        ),
      )
    },
  },
]
