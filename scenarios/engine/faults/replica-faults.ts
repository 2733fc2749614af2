import { LIMITS } from '../../../audits/transaction.ts'
import { networkTo } from '../../../fixtures/postgres/standbys/network.ts'
import { transactionPooler } from '../../../fixtures/postgres/standbys/pooler.ts'
import { type Fault, saidOf } from './fault.ts'
import { quietRule, SLOW } from './world.ts'

const slow = { catalogue: { invariants: [SLOW] } }
const OLD = `update public.token_audit_heartbeat set beaten_at = now() - interval '20 minutes'`
const BEAT = 'select public.token_audit_beat()'

/** What can happen to a replica, and on the way to it. */
export const REPLICA_FAULTS: readonly Fault[] = [
  {
    name: 'nothing: a healthy standby, all rules',
    status: 'pass',
    exit: 0,
    says: /^$/,
    run: async (world) => saidOf(await world.audit({ catalogue: world.catalogue, evidence: world.evidence })),
  },
  {
    name: 'the stream is down, received and replayed positions are equal, a row is missing',
    status: 'stale',
    exit: 2,
    says: /the heartbeat is 20 min old.*no WAL receiver is running: the stream from the primary is down/,
    async run(world) {
      await world.onPrimary(OLD)
      await world.caughtUp()
      await world.standby.cutStream()
      await world.onPrimary(BEAT)
      const said = saidOf(await world.audit())
      await world.standby.restoreStream()
      return said
    },
  },
  {
    name: 'replay is paused: changes arrive and are not shown',
    status: 'stale',
    exit: 2,
    says: /the heartbeat is 20 min old/,
    async run(world) {
      await world.onPrimary(OLD)
      await world.caughtUp()
      await world.standby.pauseReplay()
      await world.onPrimary(BEAT)
      const said = saidOf(await world.audit())
      await world.standby.resumeReplay()
      return said
    },
  },
  {
    name: 'nothing beats any more',
    status: 'stale',
    exit: 2,
    says: /the heartbeat is 20 min old, more than the 15 min allowed \(the last replayed transaction is \d s old\)/,
    async run(world) {
      await world.onPrimary(OLD)
      await world.caughtUp()
      const said = saidOf(await world.audit())
      await world.onPrimary(BEAT)
      await world.caughtUp()
      return said
    },
  },
  {
    name: 'the heartbeat is installed and has never beaten',
    status: 'stale',
    exit: 2,
    says: /token_audit_heartbeat is empty: nothing has beaten yet/,
    async run(world) {
      await world.onPrimary('delete from public.token_audit_heartbeat')
      await world.caughtUp()
      const said = saidOf(await world.audit())
      await world.onPrimary(BEAT)
      await world.caughtUp()
      return said
    },
  },
  {
    name: 'no heartbeat is installed, and the last replayed transaction is old',
    status: 'stale',
    exit: 2,
    says: /the last replayed transaction is .* old.*it lags, or the primary is idle: npm run migrate -- heartbeat/,
    async run(world) {
      const { name } = await world.another('unified')
      const targets = [{ name: 'replica', url: world.url(world.standby, 'token_audit', name) }]
      await world.standby.cutStream()
      const said = saidOf(await world.audit({ targets, maxStalenessMs: 0 }))
      await world.standby.restoreStream()
      return said
    },
  },
  {
    name: 'the URL asks for TLS, and the server has none',
    status: 'not_run',
    exit: 2,
    says: /The server does not support SSL connections/,
    async run(world) {
      const url = `${world.url(world.standby)}?sslmode=require`
      return saidOf(await world.audit({ targets: [{ name: 'replica', url }] }))
    },
  },
  {
    name: 'a heartbeat, and the standby was just restarted',
    status: 'pass',
    exit: 0,
    says: /^$/,
    async run(world) {
      await world.standby.restart()
      return saidOf(await world.audit())
    },
  },
  {
    name: "the server's clock and this machine's differ",
    status: 'not_run',
    exit: 2,
    says: /the clock of the server is 2 h ahead of the clock of this machine/,
    run: async (world) => saidOf(await world.audit({}, { now: () => Date.now() - 7_200_000 })),
  },
  {
    name: "the primary's clock is ahead of the standby's",
    status: 'not_run',
    exit: 2,
    says: /the heartbeat is 60 min ahead of this server's clock/,
    async run(world) {
      await world.onPrimary(
        `update public.token_audit_heartbeat set beaten_at = now() + interval '1 hour 1 second'`,
      )
      await world.caughtUp()
      const said = saidOf(await world.audit())
      await world.onPrimary(BEAT)
      await world.caughtUp()
      return said
    },
  },
  {
    name: 'replay cancels the statement once',
    status: 'pass',
    exit: 0,
    says: /^attempts: 2$/,
    async run(world) {
      const running = world.audit(slow)
      await world.computing(running)
      await world.standby.conflict(world.database.name)
      return saidOf(await running)
    },
  },
  {
    name: 'replay cancels the statement each time',
    status: 'error',
    exit: 2,
    says: /conflict with recovery \(40001\).*hot_standby_feedback.*attempts: 4/,
    async run(world) {
      let asked = Promise.withResolvers<() => void>()
      const wait = () => new Promise<void>((goOn) => asked.resolve(goOn))
      const running = world.audit(slow, { wait })
      for (let attempt = 1; attempt <= 4; attempt++) {
        await world.computing(running)
        await world.standby.conflict(world.database.name)
        // The statement that was cancelled must not be taken for the one that comes after it.
        await world.idle()
        if (attempt === 4) break
        const goOn = await asked.promise
        asked = Promise.withResolvers()
        goOn()
      }
      return saidOf(await running)
    },
  },
  {
    // One snapshot held for the whole run would be ended by the first of these.
    name: 'replay removes old rows between the rules, again and again',
    status: 'pass',
    exit: 0,
    says: /^$/,
    async run(world) {
      let ended = false
      const pressure = (async () => {
        while (!ended) await world.standby.conflict(world.database.name)
      })()
      const report = await world
        .audit({ catalogue: world.catalogue, evidence: world.evidence })
        .finally(() => {
          ended = true
        })
      await pressure
      return saidOf(report)
    },
  },
  {
    name: 'a statement takes longer than allowed',
    status: 'error',
    exit: 2,
    says: /\(57014\): it took longer than the audit allows/,
    run: async (world) => saidOf(await world.audit(slow, { limits: { ...LIMITS, statementMs: 200 } })),
  },
  {
    name: 'a table is locked by a migration on the primary',
    status: 'error',
    exit: 2,
    says: /\(55P03\): a table is locked by somebody else/,
    async run(world) {
      const url = new URL(world.database.url)
      const { Client } = await import('pg')
      const migration = new Client({ connectionString: url.href })
      await migration.connect()
      await migration.query('begin; lock table public.token_usage in access exclusive mode')
      // The lock is replayed with the next record that is sent.
      await world.caughtUp()
      const said = saidOf(await world.audit({}, { limits: { ...LIMITS, lockMs: 200 } }))
      await migration.end()
      await world.caughtUp()
      return said
    },
  },
  {
    name: 'the standby restarts during a rule',
    status: 'pass',
    exit: 0,
    says: /^attempts: 2$/,
    async run(world) {
      const back = Promise.withResolvers<void>()
      const running = world.audit(slow, { wait: () => back.promise })
      await world.computing(running)
      await world.standby.restart()
      back.resolve()
      return saidOf(await running)
    },
  },
  {
    name: 'an administrator ends the session',
    status: 'pass',
    exit: 0,
    says: /^attempts: 2$/,
    async run(world) {
      const running = world.audit(slow)
      await world.computing(running)
      await world.standby.endBackends('token-audit/')
      return saidOf(await running)
    },
  },
  {
    name: 'the connection is lost for good during a rule: those after it are not run',
    status: 'not_run',
    exit: 2,
    says: /the connection was lost before: .*ECONNREFUSED/,
    async run(world) {
      const network = await networkTo(world.url(world.standby))
      const running = world.audit({
        targets: [{ name: 'replica', url: network.url }],
        catalogue: { invariants: [SLOW, quietRule()] },
      })
      await world.computing(running)
      network.close()
      const report = await running
      await world.idle()
      const [target] = report.targets
      const last = target?.invariants.slice(-1) ?? []
      return saidOf({ ...report, targets: target ? [{ ...target, invariants: last }] : [] })
    },
  },
  {
    name: 'the network holds the connection open and passes nothing',
    status: 'error',
    exit: 2,
    says: /no answer within 4 s; the connection was cut/,
    async run(world) {
      const network = await networkTo(world.url(world.standby))
      const running = world.audit(
        { ...slow, targets: [{ name: 'replica', url: network.url }] },
        { limits: { ...LIMITS, statementMs: 3_000, graceMs: 1_000 } },
      )
      await world.computing(running)
      network.hold()
      const said = saidOf(await running)
      network.close()
      return said
    },
  },
  {
    name: 'nobody listens',
    status: 'not_run',
    exit: 2,
    says: /ECONNREFUSED.*check host and port/,
    async run(world) {
      const network = await networkTo(world.url(world.standby))
      network.close()
      return saidOf(await world.audit({ targets: [{ name: 'replica', url: network.url }] }))
    },
  },
  {
    name: 'the password is wrong',
    status: 'not_run',
    exit: 2,
    says: /\(28P01\): check user, password/,
    async run(world) {
      const url = new URL(world.url(world.standby))
      url.password = 'another one'
      return saidOf(await world.audit({ targets: [{ name: 'replica', url: url.href }] }))
    },
  },
  ...[1, 2, 5].map(
    (size): Fault => ({
      name: `a pooler in transaction mode, with ${size === 1 ? 'one connection' : `${size} connections`} to the server`,
      status: 'not_run',
      exit: 2,
      says: /a pooler in transaction mode.*use the session pooler/,
      async run(world) {
        const pooler = await transactionPooler(world.url(world.standby), size)
        const said = saidOf(
          await world.audit(
            { targets: [{ name: 'replica', url: pooler.url }] },
            { limits: { ...LIMITS, statementMs: 500, graceMs: 200 } },
          ),
        )
        await pooler.close()
        return said
      },
    }),
  ),
  {
    name: 'one database under two names, by another address',
    status: 'not_run',
    exit: 2,
    says: /this is the same database of the same server as target "replica"/,
    async run(world) {
      const network = await networkTo(world.url(world.standby))
      const targets = [
        { name: 'replica', url: world.url(world.standby) },
        { name: 'again', url: network.url },
      ]
      const said = saidOf(await world.audit({ targets }))
      network.close()
      return said
    },
  },
  {
    name: 'two standbys of one primary',
    status: 'pass',
    exit: 0,
    says: /^$/,
    run: async (world) =>
      saidOf(
        await world.audit({
          targets: [
            { name: 'replica', url: world.url(world.standby) },
            { name: 'spare', url: world.url(world.spare) },
          ],
        }),
      ),
  },
  {
    name: 'another database than the one that is expected',
    status: 'not_run',
    exit: 2,
    says: /and it must be "postgres": check the URL/,
    run: async (world) =>
      saidOf(
        await world.audit({
          targets: [{ name: 'replica', url: world.url(world.standby), database: 'postgres' }],
        }),
      ),
  },
  {
    name: 'another cluster than the one that is expected',
    status: 'not_run',
    exit: 2,
    says: /the system identifier of this cluster is \d+, and it must be 7561234567890123456/,
    run: async (world) =>
      saidOf(
        await world.audit({
          targets: [{ name: 'replica', url: world.url(world.standby), system: '7561234567890123456' }],
        }),
      ),
  },
  {
    name: 'the standby was promoted since the last run',
    status: 'pass',
    exit: 0,
    says: /^this was a standby in the last run and is a primary now: it was promoted/,
    run: async (world) =>
      saidOf(
        await world.twice({ targets: [{ name: 'spare', url: world.url(world.spare) }] }, () =>
          world.spare.promote(),
        ),
      ),
  },
]
