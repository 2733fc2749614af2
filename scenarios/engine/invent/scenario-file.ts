import { type Plan, printPlan } from '../plan.ts'
import { count, type ExpectedRow, type Step, type Story } from '../story.ts'
import { isMadeUp, type MadeUpAct } from './books.ts'

export interface Scenario {
  readonly story: Story
  readonly plan: Plan
  /** What was not as told, a line each. */
  readonly complaints: readonly string[]
}

/** A story of `storyOf` as a file of `scenarios/regressions/`, to be formatted. Throws for words that these never use. */
export function renderScenario({ story, plan, complaints }: Scenario): string {
  const { name, title, people, steps, minor, asFound } = story
  const list = (ids: readonly string[]) => `[${ids.map(quoted).join(', ')}]`
  return `import { parsePlan } from '../engine/plan.ts'
import type { Regression } from '../engine/regression.ts'
import { person, step, story } from '../engine/voices.ts'

${people.map(({ name: who, hasDraft }) => `const ${who} = person(${quoted(who)}${hasDraft ? ', { hasDraft: true }' : ''})`).join('\n')}

// Made up, and not as told when it was kept:
${complaints.map((complaint) => `// ${complaint}`).join('\n')}
export const ${constantOf(name)}: Regression = {
  story: story({
    name: ${quoted(name)},
    title: ${quoted(title)},
    people: [${people.map((one) => one.name).join(', ')}],
    steps: [${steps.map((step) => `${wordsOfStep(step)},`).join('\n')}],${minor.length === 0 ? '' : `\n    minor: ${list(minor)},`}
    asFound: { red: ${list(asFound.red)}, redTwice: ${list(asFound.redTwice)} },
  }),
  plan: parsePlan(${quoted(printPlan(plan))}),
}
`
}

/** What the file of a story calls it. With a word before it, whatever the story's name is, it is no keyword. */
export function constantOf(name: string): string {
  return `kept${name
    .split('-')
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('')}`
}

function wordsOfStep({ act, rows, balances, answer }: Step): string {
  if (!isMadeUp(act)) throw new Error(`no invented story has ${act.do}`)
  if (answer !== '2xx') throw new Error(`no invented step is answered ${answer}`)
  const told = [
    ...rows.map(wordsOfRow),
    ...Object.entries(balances).map(([who, balance]) => `${who}.has(${tokens(balance)})`),
  ]
  return `step(${[wordsOfAct(act), ...told].join(', ')})`
}

function wordsOfAct(act: MadeUpAct): string {
  switch (act.do) {
    case 'buy-pack': {
      const { who, pack, pay, quantity, invoiced } = act
      const how = {
        ...(pay !== 'card' && { pay: quoted(pay) }),
        ...(quantity !== 1 && { quantity }),
        ...(invoiced && { invoiced }),
      }
      return `${who}.buys(${quoted(pack)}${options(how)})`
    }
    case 'settle-delayed':
      return `${act.who}.debitSucceeds()`
    case 'fail-delayed':
      return `${act.who}.debitFails()`
    case 'test-mode-purchase':
      return `${act.who}.buysInTestMode(${quoted(act.pack)})`
    case 'start-plan': {
      const start = act.plan === 'annual' ? 'startsAnnual' : 'starts28Day'
      return `${act.who}.${start}(${act.coupon ? '{ coupon: true }' : ''})`
    }
    case 'start-trial':
      return `${act.who}.startsTrial(${quoted(act.plan)})`
    case 'end-trial':
      return `${act.who}.trialEnds()`
    case 'renew':
      return `${act.who}.renews()`
    case 'fail-renewal':
      return `${act.who}.renewalFails()`
    case 'recover-renewal':
      return `${act.who}.renewalRecovers()`
    case 'upgrade-proration':
      return `${act.who}.upgrades(${quoted(act.to)})`
    case 'manual-invoice':
      return `${act.who}.paysHandMadeInvoice(${quoted(act.over)})`
    case 'cancel':
      return `${act.who}.cancels(${quoted(act.at)})`
    case 'refund':
      return `${act.who}.isRefunded(${quoted(act.what)}, ${tokens(act.cents)})`
    case 'admin': {
      const how = act.clicks === 1 ? '' : options({ clicks: act.clicks })
      return `${act.who}.isAdjusted(${tokens(act.delta)}, ${quoted(act.request)}${how})`
    }
    case 'use':
      return `${act.who}.${act.success ? 'uses' : 'failsToUse'}(${tokens(act.tokens)}, ${quoted(act.action)})`
  }
}

function wordsOfRow({ who, type, tokens: size, delta, key }: ExpectedRow): string {
  const isLess = delta !== -size && { moves: tokens(-delta) }
  switch (key) {
    case 'checkout_session':
      return `${who}.getsPack(${tokens(size)})`
    case 'invoice':
      return `${who}.getsPlan(${tokens(size)})`
    case 'invoice:reset':
      return `${who}.losesRest(${tokens(size)})`
    case 'trial':
      return `${who}.getsTrial(${tokens(size)})`
    case 'admin':
      return type === 'admin_grant'
        ? `${who}.isGiven(${tokens(size)})`
        : `${who}.isTaken(${tokens(size)}${options({ ...isLess })})`
    case null:
      return `${who}.spends(${tokens(size)}${options({ action: quoted(type), ...isLess })})`
  }
}

/** The last argument, with a comma before it; nothing for none. */
function options(some: Readonly<Record<string, string | number | boolean>>): string {
  const told = Object.entries(some).map(([key, value]) => `${key}: ${value}`)
  return told.length === 0 ? '' : `, { ${told.join(', ')} }`
}

const tokens = (number: bigint): string => `${count(number).replaceAll(',', '_')}n`

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
