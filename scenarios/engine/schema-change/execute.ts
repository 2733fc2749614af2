import { type Client, DatabaseError } from 'pg'
import { withDatabase } from '../../../fixtures/postgres/connection.ts'
import { type Blame, factKeys } from './difference.ts'
import type { FunctionFact } from './facts.ts'
import type { Finding } from './finding.ts'

/** A body that waits, or turns in circles, is no body that can't run. */
const STATEMENT_TIMEOUT = '5s'

/**
 * What says that a body can never run, whatever it is given: a table, column, function or type that is not there, a
 * value that an enum lacks, a name that means two things. https://www.postgresql.org/docs/17/errcodes-appendix.html
 */
const CANT_RUN = /^(42(?!501)|22P02|0A000|3F000|3D000)/

function saysOfBody(error: DatabaseError): string | undefined {
  const { code = '', message, routine } = error
  // What a body raises by itself is its answer, and what our made-up text can't become is ours.
  const isOurs = routine === 'exec_stmt_raise' || (code === '22P02' && message.endsWith(`"${TEXT}"`))
  return CANT_RUN.test(code) && !isOurs ? message : undefined
}

const TEXT = 'x'

/**
 * Executes each function once, with plausible arguments, in a transaction that is rolled back: Postgres does not look
 * into a body when it is created. The database holds the rows of a healthy ledger. What can't run, by signature.
 */
export function executeAll(
  databaseUrl: string,
  functions: Iterable<FunctionFact>,
): Promise<Map<string, string>> {
  return withDatabase(databaseUrl, async (client) => {
    const failed = new Map<string, string>()
    await client.query(`set statement_timeout = '${STATEMENT_TIMEOUT}'`)
    for (const one of functions) {
      if (one.isTrigger) continue
      const says = await execute(client, one)
      if (says !== undefined) failed.set(one.signature, says)
    }
    return failed
  })
}

async function execute(client: Client, one: FunctionFact): Promise<string | undefined> {
  const given = one.args.slice(0, one.args.length - one.defaults).map(argument)
  const last = one.variadic && given.length === one.args.length ? given.length - 1 : -1
  const call = given.map((value, place) => (place === last ? `variadic ${value}` : value))
  await client.query('begin')
  try {
    // Arguments that can't be made up say nothing of the body.
    const isMade = await client.query(`select ${given.join(', ')}`).then(
      () => true,
      () => false,
    )
    if (!isMade) return undefined
    await client.query(`${one.isProcedure ? 'call' : 'select'} ${one.name}(${call.join(', ')})`)
    return undefined
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    return saysOfBody(error)
  } finally {
    await client.query('rollback')
  }
}

/** A value that a healthy ledger knows, where the argument's name tells which. */
function argument({ name, type }: FunctionFact['args'][number]): string {
  if (type.endsWith('[]')) return `'{}'::${type}`
  if (type === 'uuid') {
    if (/subscription/.test(name ?? ''))
      return '(select id from public.customer_subscriptions order by id limit 1)'
    return '(select user_id from public.user_profiles order by user_id limit 1)'
  }
  if (/^(integer|bigint|smallint|numeric|real|double precision)/.test(type)) return `1::${type}`
  if (/^(text|character varying)/.test(type)) {
    return /action_type/.test(name ?? '') ? `'chat_conversation'::${type}` : `'${TEXT}'::${type}`
  }
  if (/^jsonb?$/.test(type)) return `'{}'::${type}`
  if (type === 'boolean') return 'true'
  if (/^(timestamp|date\b)/.test(type)) return `now()::${type}`
  return `null::${type}`
}

/** Functions whose bodies ran, or were not there, before the change, and can't run after it. */
export function brokenBodies(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  blame: Blame,
): Finding[] {
  return [...after]
    .filter(([signature]) => !before.has(signature))
    .map(([signature, says]) => ({
      level: 'harm',
      what: `${signature} can't run: ${says}`,
      where: blame(factKeys.function(signature)),
    }))
}
