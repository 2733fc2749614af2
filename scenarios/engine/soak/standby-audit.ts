import { audit } from '../../../audits/audit.ts'
import type { Catalogue } from '../../../audits/catalogue.ts'
import type { Evidence } from '../../../audits/evidence.ts'
import type { Report, RuleReport } from '../../../audits/reports/report.ts'
import { STATUSES } from '../../../audits/verdict.ts'
import { count } from '../story.ts'

/** A violation that two looks have seen. */
export interface Confirmed {
  readonly text: string
  readonly userId: string | null
}

/** What an audit came to; `transient`: what it found was gone at the second look. */
export const LOOKS = ['ok', 'transient', 'could not judge', 'violations'] as const
export type Look = (typeof LOOKS)[number]

/** The audit of a standby whose primary is written to meanwhile. */
export class StandbyAudit {
  readonly looks: Record<Look, number> = { ok: 0, transient: 0, 'could not judge': 0, violations: 0 }
  /** How old what the standby showed was at most, in ms. */
  highestLagMs = 0
  /** Why it could not be judged; each reason once. */
  readonly problems = new Set<string>()
  readonly #url: string
  readonly #catalogue: Catalogue
  /** Rules that are red by policy: somebody has overdrawn, say. */
  readonly #policy: ReadonlySet<string>
  readonly #signal: AbortSignal

  constructor(
    url: string,
    { catalogue, policy, signal }: { catalogue: Catalogue; policy: ReadonlySet<string>; signal: AbortSignal },
  ) {
    this.#url = url
    this.#catalogue = catalogue
    this.#policy = policy
    this.#signal = signal
  }

  /**
   * Audits once, and a second time what is red: what both have seen is a violation.
   *
   * @param evidence without it nobody looks at what is owed: what was paid a moment ago may be on its way
   * @throws the signal's reason
   */
  async look(evidence?: Evidence): Promise<readonly Confirmed[]> {
    const first = await this.#audit(evidence)
    const unjudged = unjudgedIn(first)
    const red = this.#redIn(first)
    const confirmed: Confirmed[] = []
    if (red.length > 0) {
      const second = await this.#audit(
        evidence,
        red.map(({ id }) => id),
      )
      unjudged.push(...unjudgedIn(second))
      for (const rule of this.#redIn(second)) confirmed.push(...inBoth(rule, red))
    }
    for (const problem of unjudged) this.problems.add(problem)
    this.looks[verdictOf(confirmed.length, unjudged.length, red.length)]++
    return confirmed
  }

  async #audit(evidence: Evidence | undefined, only: readonly string[] = []): Promise<Report> {
    const report = await audit({
      targets: [{ name: 'standby', url: this.#url }],
      catalogue: this.#catalogue,
      evidence,
      only,
      settle: false,
      signal: this.#signal,
    })
    for (const { freshness } of report.targets)
      this.highestLagMs = Math.max(this.highestLagMs, freshness?.age_ms ?? 0)
    return report
  }

  #redIn(report: Report): readonly RuleReport[] {
    return report.targets
      .flatMap(({ invariants }) => invariants)
      .filter(({ id, status }) => status === 'fail' && !this.#policy.has(id))
  }
}

function verdictOf(confirmed: number, unjudged: number, red: number): Look {
  if (confirmed > 0) return 'violations'
  if (unjudged > 0) return 'could not judge'
  return red > 0 ? 'transient' : 'ok'
}

/** Meanwhile nobody need have done yet what a rule looks at; at the end, there has to be something. */
function unjudgedIn({ targets, evidence }: Report): string[] {
  return targets.flatMap(({ problem, invariants }) => [
    ...(problem === null ? [] : [problem]),
    ...invariants
      .filter(({ status }) => !STATUSES[status].judged && (status !== 'vacuous' || evidence !== null))
      .map(({ id, problem: why }) => `${id}: ${why}`),
  ])
}

/** Where there are more than a look names, they can't be compared one by one. */
function inBoth(rule: RuleReport, before: readonly RuleReport[]): Confirmed[] {
  const seen = new Set(
    before.filter(({ id }) => id === rule.id).flatMap(({ sample }) => sample.map((one) => one.fingerprint)),
  )
  return rule.sample
    .filter(({ fingerprint }) => rule.mass || seen.has(fingerprint))
    .map(({ subject_type, subject_id, user_id, detail, expected, actual }) => ({
      text: `${rule.id} (${rule.title}): ${subject_type} ${subject_id}: ${detail}, expected ${number(expected)}, found ${number(actual)}`,
      userId: user_id,
    }))
}

const number = (text: string): string => (/^-?\d+$/.test(text) ? count(BigInt(text)) : text)
