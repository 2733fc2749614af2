import type { Facts, FunctionFact, Opening } from './facts.ts'
import type { Finding, Where } from './finding.ts'

/** Where the statement is that changed a fact; undefined where nobody watched. */
export type Blame = (fact: string) => Where | undefined

/** The facts that `valuesLost` and `opened` ask the blame of. */
export const factKeys = {
  values: (key: string) => `values ${key}`,
  function: (signature: string) => `function ${signature}`,
  opening: (key: string) => `opening ${key}`,
  right: (right: string) => `right ${right}`,
  unique: (unique: string) => `unique ${unique}`,
}

/** All facts, each as text under its key: what differs between two of these was changed in between. */
export function flatten({
  values,
  functions,
  openings,
  rights,
  uniques,
}: Facts): ReadonlyMap<string, string> {
  return new Map([
    ...[...values].map(([key, list]) => [factKeys.values(key), JSON.stringify(list)] as const),
    ...[...functions].map(([key, one]) => [factKeys.function(key), JSON.stringify(one)] as const),
    ...[...openings.keys()].map((key) => [factKeys.opening(key), ''] as const),
    ...[...rights].map((right) => [factKeys.right(right), ''] as const),
    ...[...uniques].map((unique) => [factKeys.unique(unique), ''] as const),
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

/** What anon and authenticated may do after the change, and could not before. */
export function opened(before: Facts, after: Facts, blame: Blame): Finding[] {
  const old = Map.groupBy(before.openings.values(), placeOf)
  const isWider = (opening: Opening) =>
    !old
      .get(placeOf(opening))
      ?.some(({ conditions }) => conditions.every((one) => opening.conditions.includes(one)))
  const news = [...after.openings]
    .filter(([key, opening]) => !before.openings.has(key) && isWider(opening))
    .map(
      ([key, opening]): News => ({
        key,
        opening,
        level: isHarmful(opening, before, after) ? 'harm' : 'note',
      }),
    )
  const findings = doorsOf(news, after).map(
    ({ level, roles, verbs, columns, opening, key }): Finding => ({
      level,
      what: `${roles} may now ${verbs} ${opening.object}${columns}, ${opening.by}`,
      where: blame(factKeys.opening(key)),
    }),
  )
  return [...findings, ...unpinned(before, after, blame)]
}

const placeOf = ({ role, verb, object, column }: Opening) => JSON.stringify([role, verb, object, column])

/**
 * What the app's routes may no longer do, and what nothing holds unique any more, of what is still there.
 * @param level a note where the change leads to another stage, for which another app is written
 */
export function taken(before: Facts, after: Facts, blame: Blame, level: 'harm' | 'note'): Finding[] {
  const rights = [...before.rights].filter(
    (right) => !after.rights.has(right) && after.objects.has(right.replace(/^\w+ /, '')),
  )
  const uniques = [...before.uniques].filter(
    (unique) => !after.uniques.has(unique) && areThere(unique, after),
  )
  return [
    ...rights.map((right): Finding => {
      return {
        level,
        what: `service_role may no longer ${right}: the app's routes come as service_role`,
        where: blame(factKeys.right(right)),
      }
    }),
    ...uniques.map((unique): Finding => {
      return {
        level,
        what: `nothing holds this unique any more: ${unique}`,
        where: blame(factKeys.unique(unique)),
      }
    }),
  ]
}

/** Whether the table of a unique index is there, and all columns that it names plainly. */
function areThere(unique: string, { objects }: Facts): boolean {
  const [, table = '', columns = ''] = /^(\S+) USING \w+ \(([\w", ]+)\)/.exec(unique) ?? []
  if (table === '') return true
  return columns.split(', ').every((column) => objects.has(`${table}.${column.replaceAll('"', '')}`))
}

interface News {
  readonly key: string
  readonly opening: Opening
  readonly level: 'harm' | 'note'
}

interface Door extends News {
  readonly roles: string
  readonly verbs: string
  /** In parentheses; empty: all of them. */
  readonly columns: string
}

/** What is opened, the columns, the roles and the verbs together that are opened alike. */
function doorsOf(news: readonly News[], after: Facts): Door[] {
  const byColumn = merge(news, ({ level, opening: { role, verb, object, by } }) => [
    level,
    role,
    verb,
    object,
    by,
  ])
  const doors = byColumn.map((group) => {
    const one = first(group)
    const columns = group.flatMap(({ opening }) => opening.column ?? [])
    return { ...one, columns: ofColumns(one.opening, columns, after) }
  })
  const byRole = merge(doors, ({ level, opening: { verb, object, by }, columns }) => [
    level,
    verb,
    object,
    by,
    columns,
  ])
  const rooms = byRole.map((group) => ({
    ...first(group),
    roles: group.map(({ opening }) => opening.role).join(' and '),
  }))
  return merge(rooms, ({ level, roles, opening: { object, by }, columns }) => [
    level,
    roles,
    object,
    by,
    columns,
  ]).map((group) => ({ ...first(group), verbs: group.map(({ opening }) => opening.verb).join(', ') }))
}

const merge = <T>(ones: readonly T[], by: (one: T) => unknown): T[][] => [
  ...Map.groupBy(ones, (one) => JSON.stringify(by(one))).values(),
]
const first = <T>(group: readonly T[]): T => group[0] as T

/**
 * A door in something that was there before is opened. What is new is judged by itself: a table without row security, a
 * view that shows the ledger with its owner's rights, a function that writes it with its owner's rights; a new column
 * is as open as its table.
 */
function isHarmful({ object, column, by }: Opening, before: Facts, after: Facts): boolean {
  if (before.objects.has(object)) return column === null || before.objects.has(`${object}.${column}`)
  if (by === 'without row security' || by === 'with its owner’s rights') return true
  const definition = after.functions.get(object)
  return definition?.isDefiner === true && writesLedger(definition)
}

const LEDGER_NAMES = 'token_usage|token_transactions|token_drips|user_profiles|token_ledger_stage'
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
