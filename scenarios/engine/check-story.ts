import { DEDUCTIONS, GRANTS } from '../../audits/action-types.ts'
import { type Act, count, type ExpectedRow, type KeyKind, type Story, StoryError, say } from './story.ts'

/**
 * Checks that a story can come true: its people are known, its rows are such as their acts can bring about, each fact's
 * once, and what they move is what its balances say. Throws StoryError naming the story and the step.
 */
export function checkStory(story: Story): Story {
  const balances = new Map(story.people.map(({ name, balance }) => [name, balance]))
  const facts = new Facts()
  const fail = (where: string, what: string): never => {
    throw new StoryError(`story ${story.name}, ${where}: ${what}`)
  }
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(story.name)) fail('its name', 'must be kebab case')
  if (balances.size !== story.people.length) fail('its people', 'one name is there twice')
  for (const [index, { act, rows, balances: left, answer }] of story.steps.entries()) {
    const where = `step ${index + 1} (${say(act)})`
    const named = [...('who' in act ? [act.who] : []), ...rows.map(({ who }) => who), ...Object.keys(left)]
    const stranger = named.find((who) => !balances.has(who))
    if (stranger !== undefined) fail(where, `"${stranger}" is not among its people`)
    if (answer === '4xx' && rows.length > 0) fail(where, 'what is refused writes no row, but it tells one')
    facts.happen(act, index, answer)
    for (const row of rows) {
      const wrong = sizeProblem(row) ?? facts.problemOf(row, act)
      if (wrong !== undefined) fail(where, `${row.type} ${count(row.tokens)} of ${row.who}: ${wrong}`)
    }
    for (const who of balances.keys()) {
      const moved = rows.filter((row) => row.who === who).reduce((sum, { delta }) => sum + delta, 0n)
      const before = balances.get(who) ?? 0n
      const after = left[who] ?? before
      if (after !== before + moved) {
        fail(where, `${who} had ${count(before)}, the rows move ${count(moved)}, but ${count(after)} is left`)
      }
      if (after < 0n) fail(where, `${who} is left with ${count(after)}: a balance stops at 0`)
      balances.set(who, after)
    }
  }
  return story
}

const isOneOf = (types: readonly string[], type: string): boolean => types.includes(type)

function sizeProblem({ type, tokens, delta, key }: ExpectedRow): string | undefined {
  if (tokens < 0n) return 'a row says how much, never less than nothing'
  if (key !== null && tokens === 0n) return 'what grants or takes nothing writes no row'
  if (isOneOf(GRANTS, type))
    return delta === tokens ? undefined : `a grant moves all of it, not ${count(delta)}`
  return delta <= 0n && delta >= -tokens ? undefined : `it takes up to that, and can't move ${count(delta)}`
}

/** The types of the rows that a key of this kind can be on. */
const TYPES: Readonly<Record<KeyKind, readonly string[]>> = {
  checkout_session: ['token_pack_purchase'],
  invoice: ['subscription_grant'],
  'invoice:reset': ['admin_deduct'],
  trial: ['trial_grant'],
  admin: ['admin_grant', 'admin_deduct'],
}

/** What acts have brought about so far, and which of it was told. */
class Facts {
  /** The facts that rows of the present step can be keyed by, and which they are. */
  #here = new Map<KeyKind, string>()
  #mayCarryOn = false
  readonly #sessions = new Map<string, number>()
  readonly #told = new Set<string>()

  /** What Stripe could not deliver in the step before comes with this one's. */
  happen(act: Act, step: number, answer: '2xx' | '4xx' | '5xx'): void {
    if (!this.#mayCarryOn) this.#here.clear()
    this.#mayCarryOn = answer === '5xx'
    if (act.do === 'buy-pack') this.#sessions.set(act.who, step)
    for (const kind of KINDS_OF[act.do] ?? []) {
      const session = 'who' in act && kind === 'checkout_session' ? this.#sessions.get(act.who) : undefined
      this.#here.set(kind, act.do === 'admin' ? act.request : `step ${session ?? step}`)
    }
  }

  problemOf({ type, key }: ExpectedRow, act: Act): string | undefined {
    if (key === null) {
      if (act.do !== 'use') return 'only AI use writes a row without a grant key'
      return isOneOf([...GRANTS, ...DEDUCTIONS], type) ? 'a grant or deduction has a grant key' : undefined
    }
    const fact = this.#here.get(key)
    if (fact === undefined) return `its key is of kind ${key}, and the step brings about no such fact`
    if (!TYPES[key].includes(type)) return `a key of kind ${key} is on ${TYPES[key].join(' or ')}`
    const told = `${key} ${fact}`
    if (this.#told.has(told)) return `another row has the same key (${key}): one fact, one row`
    this.#told.add(told)
    return undefined
  }
}

/** The kinds of facts that an act brings about: what its rows can be keyed by. */
const KINDS_OF: Partial<Readonly<Record<Act['do'], readonly KeyKind[]>>> = {
  'buy-pack': ['checkout_session'],
  'settle-delayed': ['checkout_session'],
  'start-plan': ['invoice', 'invoice:reset'],
  'start-trial': ['trial'],
  'end-trial': ['invoice', 'invoice:reset'],
  renew: ['invoice', 'invoice:reset'],
  'recover-renewal': ['invoice', 'invoice:reset'],
  'pay-out-of-band': ['invoice', 'invoice:reset'],
  admin: ['admin'],
}
