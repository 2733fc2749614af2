import { isDeepStrictEqual } from 'node:util'
import { parse } from '../../../fixtures/schema/parser.ts'
import { type Blame, factKeys } from './difference.ts'
import type { Facts, FunctionFact } from './facts.ts'
import type { Finding } from './finding.ts'

/** A call of a function, as somebody writes it. */
export interface Call {
  readonly caller: string
  /** Without schema, or with. */
  readonly name: string
  readonly positional: number
  readonly named: readonly string[]
}

/** Whether a function takes these arguments; their types are left to whoever executes it. */
export function takes({ args, defaults, variadic }: FunctionFact, { positional, named }: Call): boolean {
  if (variadic && positional >= args.length) return true
  if (positional > args.length) return false
  const rest = args.slice(positional)
  if (!named.every((name) => rest.some((arg) => arg.name === name))) return false
  const needed = args.slice(positional, Math.max(positional, args.length - defaults - (variadic ? 1 : 0)))
  return needed.every(({ name }) => name !== null && named.includes(name))
}

/**
 * What the functions call of each other, by the text of their bodies. A name in `execute '…'` is not seen.
 *
 * @param names of functions, without schema, that calls are looked for
 */
export async function callsIn(
  functions: Iterable<FunctionFact>,
  names: ReadonlySet<string>,
): Promise<Call[]> {
  const calls: Call[] = []
  const all = [...functions]
  const builtIn = new Set(all.filter((one) => one.isBuiltIn).map(({ name }) => bare(name)))
  for (const { signature, body } of all) {
    const text = withoutLiterals(body)
    for (const match of text.matchAll(/(?:"?([a-z_][\w$]*)"?\.)?"?([a-z_][\w$]*)"?\s*\(/gi)) {
      const name = String(match[2]).toLowerCase()
      // `insert into name (…)` calls nothing.
      if (!names.has(name) || /\binto\s+$/i.test(text.slice(0, match.index))) continue
      if (match[1] === undefined && builtIn.has(name)) continue
      const call = await readCall(signature, text.slice(match.index))
      if (call !== undefined) calls.push(call)
    }
  }
  return calls
}

async function readCall(caller: string, text: string): Promise<Call | undefined> {
  const end = closing(text)
  // `with name (…) as (` names a query.
  if (end === undefined || /^\s*as\s+(not\s+)?(materialized\s+)?\(/i.test(text.slice(end))) return undefined
  // What is no expression is no call either.
  const parsed = (await parse(`select ${text.slice(0, end)}`).catch(() => undefined)) as
    | {
        stmts: readonly [
          {
            stmt: { SelectStmt: { targetList: readonly [{ ResTarget: { val: Record<string, unknown> } }] } }
          },
        ]
      }
    | undefined
  const call = parsed?.stmts[0].stmt.SelectStmt.targetList[0].ResTarget.val.FuncCall as
    | {
        funcname: readonly { String: { sval: string } }[]
        args?: readonly Record<string, { name?: string }>[]
      }
    | undefined
  if (call === undefined) return undefined
  const args = call.args ?? []
  const named = args.flatMap((arg) => arg.NamedArgExpr?.name ?? [])
  return {
    caller,
    name: call.funcname.map(({ String: { sval } }) => sval).join('.'),
    positional: args.length - named.length,
    named,
  }
}

const LITERALS = /--[^\n]*|\/\*[\s\S]*?\*\/|\be'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|\$(\w*)\$[\s\S]*?\$\1\$/gi

/** Comments and the content of literals, blanked: a name in them calls nothing. */
function withoutLiterals(body: string): string {
  return body.replace(LITERALS, (text) => (/^(--|\/\*)/.test(text) ? ' ' : "''"))
}

/** Where the parenthesis that opens first is closed. */
function closing(text: string): number | undefined {
  let depth = 0
  for (const [index, character] of [...text].entries()) {
    if (character === '(') depth++
    if (character === ')' && --depth === 0) return index + 1
  }
  return undefined
}

const bare = (name: string) => name.slice(name.lastIndexOf('.') + 1).replaceAll('"', '')

/** Who of the functions a call means, as far as its name tells. */
function meant({ name }: Call, functions: Iterable<FunctionFact>): FunctionFact[] {
  return [...functions].filter((one) => (name.includes('.') ? one.name === name : bare(one.name) === name))
}

/**
 * Calls that no function takes, and functions that no call fits although their name is called: an overload that was
 * meant to replace, arguments that were renamed. Only what the change has brought.
 *
 * @param called signatures of what the app called after the change, and the names of what it called before
 */
export async function unmatched(
  before: Facts,
  after: Facts,
  called: { readonly signatures: ReadonlySet<string>; readonly names: ReadonlySet<string> },
  blame: Blame,
): Promise<Finding[]> {
  const all = [...before.functions.values(), ...after.functions.values()]
  const names = new Set(all.map(({ name }) => bare(name)))
  const now = [...after.functions.values()]
  const calls = await callsIn(now, names)
  const brokenBefore = new Set(
    (await callsIn(before.functions.values(), names))
      .filter((call) => !meant(call, before.functions.values()).some((one) => takes(one, call)))
      .map((call) => JSON.stringify(call)),
  )
  const lost = calls
    .filter((call) => !brokenBefore.has(JSON.stringify(call)))
    .filter((call) => !meant(call, now).some((one) => takes(one, call)))
    .map(
      (call): Finding => ({
        level: 'harm',
        what: `${call.caller} calls ${sayCall(call)}, and ${
          meant(call, now).length === 0
            ? 'there is no such function'
            : `no function takes that: there is ${meant(call, now)
                .map(({ signature }) => signature)
                .join(', ')}`
        }`,
        where: blame(factKeys.function(call.caller)) ?? blameOf(before, call, blame),
      }),
    )
  const isCalled = (one: FunctionFact) =>
    called.signatures.has(one.signature) ||
    calls.some((call) => meant(call, [one]).length > 0 && takes(one, call))
  const dead = now
    .filter((one) => !one.isTrigger && !isCalled(one))
    // Of the same types, but under other names, is another function for who names its arguments.
    .filter((one) => !isDeepStrictEqual(before.functions.get(one.signature)?.args, one.args))
    .map((one): Finding => {
      const old = before.functions.get(one.signature)
      const isRenamed =
        old !== undefined && !old.args.every(({ name }, place) => one.args[place]?.name === name)
      const wanted = called.names.has(one.name) || calls.some((call) => meant(call, [one]).length > 0)
      if (isRenamed && !wanted) {
        return {
          level: 'harm',
          what: `the arguments of ${sayArgs(old)} have other names: ${sayArgs(one)}; who calls it through the API names them`,
          where: blame(factKeys.function(one.signature)),
        }
      }
      return {
        level: wanted ? 'harm' : 'note',
        what: wanted
          ? `no caller gives ${sayArgs(one)} its arguments: ${one.name} is called, but not so`
          : `${one.signature} is new, and neither the stories nor another function call it`,
        where: blame(factKeys.function(one.signature)),
      }
    })
  return [...lost, ...dead]
}

/** The change of a function that took the call before. */
function blameOf(before: Facts, call: Call, blame: Blame) {
  const took = meant(call, before.functions.values()).find((one) => takes(one, call))
  return took && blame(factKeys.function(took.signature))
}

function sayArgs({ name, args }: FunctionFact): string {
  return `${name}(${args.map((arg) => [arg.name, arg.type].filter(Boolean).join(' ')).join(', ')})`
}

function sayCall({ name, positional, named }: Call): string {
  const args = [...(positional > 0 ? [`${positional} by position`] : []), ...named]
  return `${name} with ${args.length === 0 ? 'no arguments' : args.join(', ')}`
}
