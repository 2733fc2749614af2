import { UsageError } from '../../fixtures/postgres/usage-error.ts'
import { API_VERSIONS, type ApiVersion } from '../../fixtures/stripe/versions.ts'

/**
 * How what happens in a story reaches the app, as far as it is not in order, once, one after the other, and undisturbed.
 * Empty: just so.
 */
export type Plan = readonly Directive[]

/** `STEP.PLACE`: the first delivery (or request) of the second step is 2.1, as they are told in order. */
export interface JobRef {
  readonly step: number
  readonly place: number
}

export type Directive =
  /** Every delivery is sent again right after it was taken, and so is every admin request, with its request id. */
  | { readonly do: 'twice' }
  /**
   * One is sent again: at once, after its step's others, or after everything. `as`: signed anew as always; signed four
   * minutes ago; or as another event of the same fact, with an event id of its own.
   */
  | { readonly do: 'again'; readonly job: JobRef; readonly when: When; readonly as: As }
  /** The deliveries of a step come in this order. */
  | { readonly do: 'order'; readonly step: number; readonly places: readonly number[] }
  /** One comes only when that step is over, or all are. */
  | { readonly do: 'late'; readonly job: JobRef; readonly until: number | 'last' }
  /** All events are told in this version of the API. */
  | { readonly do: 'version'; readonly version: ApiVersion }
  /**
   * At the first attempt, at the app's n-th statement: it fails, its backend is ended before it, its answer is lost; or
   * the app's process is killed before it, or when it is done and before its answer comes, and then started again.
   */
  | { readonly do: 'fault'; readonly job: JobRef; readonly statement: number; readonly how: Fault | Kill }
  /** The app's process is stopped and started again when that step is over, before what comes last. */
  | { readonly do: 'restart'; readonly step: number }
  /** At the first attempt, at the app's n-th call of Stripe's API. */
  | { readonly do: 'stripe'; readonly job: JobRef; readonly call: number; readonly how: StripeFault }
  /**
   * These run at the same time. `turns`: whose turn it is, statement by statement, `A` is the first; after them the
   * first that can goes on.
   */
  | { readonly do: 'overlap'; readonly jobs: readonly JobRef[]; readonly turns: string }

const WHEN = ['now', 'later', 'last'] as const
export type When = (typeof WHEN)[number]
const AS = ['same', 'aged', 'renamed'] as const
export type As = (typeof AS)[number]
export const FAULTS = ['fails', 'ended', 'unanswered'] as const
export type Fault = (typeof FAULTS)[number]
export const KILLS = ['killed', 'killed-after'] as const
export type Kill = (typeof KILLS)[number]
export const STRIPE_FAULTS = ['429', '500', '404', 'hangs', 'cut'] as const
export type StripeFault = (typeof STRIPE_FAULTS)[number]
/** Without those that take as long as the app's own patience. */
export const QUICK_STRIPE_FAULTS = STRIPE_FAULTS.filter((how) => how !== 'hangs')

export const IN_ORDER: Plan = []
export const TWICE: Plan = [{ do: 'twice' }]
/** What every story is told by, whatever else. */
export const PLANS: readonly Plan[] = [IN_ORDER, TWICE]

/** In which version events are told; undefined: the app's own. */
export function versionOf(plan: Plan): ApiVersion | undefined {
  const told = plan.find((one) => one.do === 'version')
  return told?.do === 'version' ? told.version : undefined
}

/** Whether something comes in another step than its own: then only the end can be as told. */
export function leavesItsStep(plan: Plan): boolean {
  return plan.some(
    (one) =>
      one.do === 'late' || (one.do === 'overlap' && new Set(one.jobs.map(({ step }) => step)).size > 1),
  )
}

/** What contradicts itself in it: a line, undefined for none. One of two would be passed over in silence. */
function contradictionIn(plan: Plan): string | undefined {
  const decided = new Map<string, Directive>()
  for (const directive of plan) {
    if (directive.do === 'late' && directive.until !== 'last' && directive.until <= directive.job.step)
      return `${print(directive)}: later than its own step ${directive.job.step} would be ${directive.job.step + 1}`
    const twice =
      directive.do === 'order' ? directive.places.find((one, at, all) => all.indexOf(one) !== at) : undefined
    if (twice !== undefined) return `${print(directive)}: ${twice} is there twice`
    for (const what of decidedBy(directive)) {
      const other = decided.get(what)
      if (other !== undefined) return `${print(other)} and ${print(directive)}: one of them, for ${what}`
      decided.set(what, directive)
    }
  }
  return undefined
}

/** Why it fits no story of so many steps: a line, undefined for nothing. What its deliveries are only a run can tell. */
export function misfitIn(plan: Plan, steps: number): string | undefined {
  const contradiction = contradictionIn(plan)
  if (contradiction !== undefined) return contradiction
  const last = Math.max(0, ...plan.map(lastStepOf))
  return last > steps ? `step ${last}: the story has ${steps}` : undefined
}

/** The deliveries and requests that it names. */
export function refsIn(directive: Directive): readonly JobRef[] {
  return 'job' in directive ? [directive.job] : 'jobs' in directive ? directive.jobs : []
}

/** The last step that it speaks of. */
export function lastStepOf(directive: Directive): number {
  const until = directive.do === 'late' && directive.until !== 'last' ? directive.until : 0
  return Math.max(
    'step' in directive ? directive.step : 0,
    until,
    ...refsIn(directive).map(({ step }) => step),
  )
}

/** What can be decided once. */
function decidedBy(directive: Directive): readonly string[] {
  switch (directive.do) {
    case 'twice':
    case 'again':
      return []
    case 'version':
      return ['the version']
    case 'order':
    case 'restart':
      return [`the ${directive.do} of step ${directive.step}`]
    case 'late':
      return [`when ${printRef(directive.job)} comes`]
    case 'fault':
    case 'stripe':
      return [`what disturbs ${printRef(directive.job)}`]
    case 'overlap':
      return [
        ...[...new Set(directive.jobs.map(printRef))].map((ref) => `what ${ref} overlaps`),
        // They wait for the last step of it.
        ...directive.jobs
          .filter(({ step }) => step < lastStepOf(directive))
          .map((job) => `when ${printRef(job)} comes`),
      ]
  }
}

/** Whether the app's statements must pass the engine's proxy. */
export const needsProxy = (plan: Plan): boolean =>
  plan.some((one) => one.do === 'fault' || one.do === 'overlap')

export const isKill = (how: Fault | Kill): how is Kill => KILLS.some((one) => one === how)

/** Whether the app must run in a process of its own. */
export const needsOwnProcess = (plan: Plan): boolean =>
  plan.some((one) => one.do === 'restart' || (one.do === 'fault' && isKill(one.how)))

export const isTwice = (plan: Plan): boolean => plan.some((one) => one.do === 'twice')

/** A plan as `parsePlan` reads it. */
export function printPlan(plan: Plan): string {
  return plan.length === 0 ? 'in-order' : plan.map(print).join('; ')
}

export const isSame = (a: JobRef, b: JobRef): boolean => a.step === b.step && a.place === b.place

export const printRef = ({ step, place }: JobRef): string => `${step}.${place}`

function print(directive: Directive): string {
  switch (directive.do) {
    case 'twice':
      return 'twice'
    case 'again': {
      const { job, when, as } = directive
      return `again ${printRef(job)} ${when}${as === 'same' ? '' : ` ${as}`}`
    }
    case 'order':
      return `order ${directive.step} ${directive.places.join(',')}`
    case 'late':
      return `late ${printRef(directive.job)} ${directive.until}`
    case 'version':
      return `version ${nameOf(directive.version)}`
    case 'fault':
      return `fault ${printRef(directive.job)} ${directive.statement} ${directive.how}`
    case 'restart':
      return `restart ${directive.step}`
    case 'stripe':
      return `stripe ${printRef(directive.job)} ${directive.call} ${directive.how}`
    case 'overlap': {
      const { jobs, turns } = directive
      return `overlap ${jobs.map(printRef).join('+')}${turns === '' ? '' : ` ${turns}`}`
    }
  }
}

const nameOf = (version: ApiVersion): string => version.slice(version.indexOf('.') + 1)

/**
 * Reads the printed form: directives with `;` between them, such as `again 2.1 later; fault 1.1 4 ended`.
 * @throws UsageError naming the word that can't be read, its place, and what may stand there
 */
export function parsePlan(text: string): Plan {
  if (/^\s*in-order\s*$/.test(text)) return IN_ORDER
  const directives: Directive[] = []
  let at = 0
  for (const part of text.split(';')) {
    directives.push(new Words(part, at, text).directive())
    at += part.length + 1
  }
  return directives
}

/** The words of one directive, read one after the other. */
class Words {
  readonly #words: readonly { readonly text: string; readonly at: number }[]
  readonly #end: number
  readonly #whole: string
  #next = 0

  constructor(part: string, at: number, whole: string) {
    this.#words = [...part.matchAll(/\S+/g)].map(({ 0: text, index }) => ({ text, at: at + index }))
    this.#end = at + part.length
    this.#whole = whole
  }

  directive(): Directive {
    const name = this.#oneOf([
      'in-order',
      'twice',
      'again',
      'order',
      'late',
      'version',
      'fault',
      'restart',
      'stripe',
      'overlap',
    ])
    const read = this.#read(name)
    const left = this.#words[this.#next]
    if (left !== undefined) throw this.#unreadable('nothing more')
    return read
  }

  #read(name: string): Directive {
    switch (name) {
      case 'twice':
        return { do: 'twice' }
      case 'again': {
        const job = this.#ref()
        const when = this.#oneOf(WHEN)
        return { do: 'again', job, when, as: this.#isAtEnd ? 'same' : this.#oneOf(AS) }
      }
      case 'order':
        return { do: 'order', step: this.#number(), places: this.#places() }
      case 'late': {
        const job = this.#ref()
        return {
          do: 'late',
          job,
          until: this.#matching(/^([1-9]\d{0,3}|last)$/, 'a step or last', (text) =>
            text === 'last' ? text : Number(text),
          ),
        }
      }
      case 'version': {
        const version = this.#oneOf(API_VERSIONS.map(nameOf))
        return { do: 'version', version: API_VERSIONS.find((one) => nameOf(one) === version) as ApiVersion }
      }
      case 'fault':
        return {
          do: 'fault',
          job: this.#ref(),
          statement: this.#number(),
          how: this.#oneOf([...FAULTS, ...KILLS]),
        }
      case 'restart':
        return { do: 'restart', step: this.#number() }
      case 'stripe':
        return { do: 'stripe', job: this.#ref(), call: this.#number(), how: this.#oneOf(STRIPE_FAULTS) }
      case 'overlap': {
        const jobs = this.#matching(
          /^\d+\.\d+(\+\d+\.\d+){1,2}$/,
          'two or three deliveries, like 2.1+2.3',
          (text) => text.split('+').map(refOf),
        )
        const letters = 'ABC'.slice(0, jobs.length)
        const turns = this.#isAtEnd
          ? ''
          : this.#matching(new RegExp(`^[${letters}]+$`), `turns of ${letters}`, (word) => word)
        return { do: 'overlap', jobs, turns }
      }
      default:
        throw this.#unreadable('in-order to stand alone')
    }
  }

  get #isAtEnd(): boolean {
    return this.#next === this.#words.length
  }

  #ref(): JobRef {
    return this.#matching(/^[1-9]\d{0,3}\.[1-9]\d{0,3}$/, 'a delivery, like 2.1', refOf)
  }

  #number(): number {
    return this.#matching(/^[1-9]\d{0,3}$/, 'a number from 1', Number)
  }

  #places(): number[] {
    return this.#matching(/^[1-9]\d{0,3}(,[1-9]\d{0,3})*$/, 'places, like 3,1,2', (text) =>
      text.split(',').map(Number),
    )
  }

  #oneOf<T extends string>(words: readonly T[]): T {
    const isOne = (text: string): text is T => words.some((word) => word === text)
    const word = this.#words[this.#next]?.text
    if (word === undefined || !isOne(word)) throw this.#unreadable(words.join(', '))
    this.#next++
    return word
  }

  #matching<T>(form: RegExp, wanted: string, read: (text: string) => T): T {
    const word = this.#words[this.#next]?.text
    if (word === undefined || !form.test(word)) throw this.#unreadable(wanted)
    this.#next++
    return read(word)
  }

  #unreadable(wanted: string): UsageError {
    const word = this.#words[this.#next]
    const found = word === undefined ? 'it ends there' : `"${word.text}" stands there`
    return new UsageError(
      `the plan "${this.#whole}", character ${(word?.at ?? this.#end) + 1}: wanted ${wanted}, but ${found}`,
    )
  }
}

function refOf(text: string): JobRef {
  const [step = 0, place = 0] = text.split('.').map(Number)
  return { step, place }
}
