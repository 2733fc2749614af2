import { parse } from '../../../fixtures/schema/parser.ts'

type Body = Readonly<Record<string, unknown>>

/**
 * The values that a CHECK of one column allows, where it is a list of them (`x in (…)`, `x = any (array[…])`, alone or
 * with `and`); undefined for any other.
 *
 * @param definition as pg_get_constraintdef prints it
 */
export async function valuesOf(definition: string): Promise<readonly string[] | undefined> {
  const condition = /^CHECK \((.*)\)(?: NO INHERIT)?(?: NOT VALID)?$/s.exec(definition)?.[1]
  if (condition === undefined) return undefined
  const { stmts } = (await parse(`select ${condition}`)) as { stmts: Body[] }
  const [where] = deep(stmts, 'targetList') as Body[]
  return listIn(((where as Body).ResTarget as Body).val as Body)
}

function listIn(node: Body): readonly string[] | undefined {
  if (isBody(node.BoolExpr) && node.BoolExpr.boolop === 'AND_EXPR') {
    const lists = (node.BoolExpr.args as Body[]).map(listIn).filter((list) => list !== undefined)
    if (lists.length === 0) return undefined
    return lists.reduce((all, list) => all.filter((value) => list.includes(value)))
  }
  if (isBody(node.BoolExpr) && node.BoolExpr.boolop === 'OR_EXPR') {
    // `x is null or x in (…)` allows what the list allows.
    const parts = (node.BoolExpr.args as Body[]).filter((part) => part.NullTest === undefined)
    const lists = parts.map(listIn)
    return lists.every((list) => list !== undefined) ? lists.flat() : undefined
  }
  if (!isBody(node.A_Expr)) return undefined
  const { kind, rexpr } = node.A_Expr
  if (kind === 'AEXPR_OP_ANY' || kind === 'AEXPR_IN') return constantsIn(rexpr)
  // A list of one is printed as `x = 'a'`.
  if (kind === 'AEXPR_OP' && nameOf(node.A_Expr.name) === '=') return constantsIn(rexpr)
  return undefined
}

function constantsIn(value: unknown): readonly string[] | undefined {
  const found = strings(value)
  return found.length > 0 ? found : undefined
}

function strings(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(strings)
  if (!isBody(value)) return []
  if (isBody(value.A_Const)) {
    const { sval, ival } = value.A_Const
    if (isBody(sval)) return [String(sval.sval ?? '')]
    return isBody(ival) ? [String(ival.ival ?? 0)] : []
  }
  if (isBody(value.TypeCast)) return strings(value.TypeCast.arg)
  if (isBody(value.A_ArrayExpr)) return strings(value.A_ArrayExpr.elements)
  if (isBody(value.List)) return strings(value.List.items)
  return []
}

function nameOf(names: unknown): string {
  const [first] = names as { String: { sval: string } }[]
  return first?.String.sval ?? ''
}

/** The first value of that key, however deep. */
function deep(value: unknown, key: string): unknown {
  if (Array.isArray(value)) {
    for (const item of value) {
      const found = deep(item, key)
      if (found !== undefined) return found
    }
    return undefined
  }
  if (!isBody(value)) return undefined
  return key in value ? value[key] : deep(Object.values(value), key)
}

const isBody = (value: unknown): value is Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
