import type { Facts, FunctionFact, Opening } from './facts.ts'
import type { Finding, Where } from './finding.ts'
import { LEDGER_TABLES } from './ledger-tables.ts'

/** Where the statement is that changed a fact; undefined where nobody watched. */
export type Blame = (fact: string) => Where | undefined

/** The facts that `valuesLost` and `opened` ask the blame of. */
export const factKeys = {
  values: (key: string) => `values ${key}`,
  function: (signature: string) => `function ${signature}`,
  opening: (key: string) => `opening ${key}`,
}

/** All facts, each as text under its key: what differs between two of these was changed in between. */
export function flatten({ values, functions, openings }: Facts): ReadonlyMap<string, string> {
  return new Map([
    ...[...values].map(([key, list]) => [factKeys.values(key), JSON.stringify(list)] as const),
    ...[...functions].map(([key, one]) => [factKeys.function(key), JSON.stringify(one)] as const),
    ...[...openings.keys()].map((key) => [factKeys.opening(key), ''] as const),
  ])
}

/** CHECK and enum values that were allowed and no longer are. */
export function valuesLost(before: Facts, after: Facts, blame: Blame): Finding[] {
  return [...before.values].flatMap(([key, allowed]): Finding[] => {
    const now = after.values.get(key)
    // Without a list everything is allowed; a column that went is no lost value.
    if (now === undefined) return []
    const lost = allowed.filter((value) => !now.includes(value))
    if (lost.length === 0) return []
    return [
      {
        level: 'harm',
        what: `${key} no longer allows ${lost.join(', ')}: code that still writes ${lost.length === 1 ? 'it' : 'them'} is refused, and rows that hold ${lost.length === 1 ? 'it' : 'them'} can't be restored`,
        where: blame(factKeys.values(key)),
      },
    ]
  })
}

/** What roles of the API may do after the change, and could not before. */
export function opened(before: Facts, after: Facts, blame: Blame): Finding[] {
  const news = [...after.openings].filter(([key]) => !before.openings.has(key))
  const findings = doorsOf(news, after).map(
    ({ roles, verbs, columns, opening, key }): Finding => ({
      level: isHarmful(opening, before, after) ? 'harm' : 'note',
      what: `${roles} may now ${verbs} ${opening.object}${columns}, ${opening.by}`,
      where: blame(factKeys.opening(key)),
    }),
  )
  return [...findings, ...unpinned(before, after, blame)]
}

interface Door {
  readonly roles: string
  readonly verbs: string
  /** In parentheses; empty: all of them. */
  readonly columns: string
  readonly opening: Opening
  readonly key: string
}

/** What is opened, the roles and verbs together that are opened alike. */
function doorsOf(news: readonly (readonly [string, Opening])[], after: Facts): Door[] {
  const alike = [
    ...Map.groupBy(news, ([, one]) => JSON.stringify([one.role, one.verb, one.object, one.by])).values(),
  ]
  const doors = alike.map((group) => {
    const [key, opening] = group[0] as (typeof group)[number]
    return {
      key,
      opening,
      columns: ofColumns(
        opening,
        group.flatMap(([, { column }]) => column ?? []),
        after,
      ),
    }
  })
  const byRole = merge(doors, ({ opening: { verb, object, by }, columns }) => [verb, object, by, columns])
  const rooms = byRole.map((group) => ({ ...first(group), roles: group.map(({ opening }) => opening.role) }))
  return merge(rooms, ({ roles, opening: { object, by }, columns }) => [roles, object, by, columns]).map(
    (group) => {
      const { roles, ...door } = first(group)
      return {
        ...door,
        roles: roles.join(' and '),
        verbs: group.map(({ opening }) => opening.verb).join(', '),
      }
    },
  )
}

const merge = <T>(ones: readonly T[], by: (one: T) => unknown): T[][] => [
  ...Map.groupBy(ones, (one) => JSON.stringify(by(one))).values(),
]
const first = <T>(group: readonly T[]): T => group[0] as T

/**
 * A door in something that was there before is opened; something new is judged by itself: a table without row
 * security, a view that shows the ledger with its owner's rights, a function that writes it with its owner's rights.
 */
function isHarmful({ object, by }: Opening, before: Facts, after: Facts): boolean {
  if (before.objects.has(object)) return true
  if (by === 'without row security') return true
  if (by === 'with its owner’s rights') return true
  const definition = after.functions.get(object)
  return definition?.isDefiner === true && writesLedger(definition)
}

const LEDGER_NAMES = LEDGER_TABLES.map((table) => table.replace('public.', '')).join('|')
const WRITES = new RegExp(
  `\\b(insert\\s+into|update|delete\\s+from)\\s+(only\\s+)?("?public"?\\.)?"?(${LEDGER_NAMES})\\b`,
  'i',
)

function writesLedger({ body }: FunctionFact): boolean {
  return WRITES.test(body)
}

function ofColumns({ object, verb, by }: Opening, columns: readonly string[], { openings }: Facts): string {
  if (columns.length === 0) return ''
  const all = [...openings.values()].filter(
    (one) => one.object === object && one.verb === verb && one.by === by && one.column !== null,
  )
  const every = new Set(all.map(({ column }) => column)).size === columns.length
  return every ? '' : ` (${columns.join(', ')})`
}

function unpinned(before: Facts, after: Facts, blame: Blame): Finding[] {
  return [...after.functions.values()].flatMap((now): Finding[] => {
    const old = before.functions.get(now.signature)
    if (!now.isDefiner || now.pinsSearchPath || old === undefined) return []
    if (old.isDefiner && !old.pinsSearchPath) return []
    return [
      {
        level: 'harm',
        what: `${now.signature} runs with its owner's rights, and its search_path is no longer pinned: who calls it chooses the tables that it writes`,
        where: blame(factKeys.function(now.signature)),
      },
    ]
  })
}
