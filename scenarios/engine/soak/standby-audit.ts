import { audit } from '../../../audits/audit.ts'
import type { Catalogue } from '../../../audits/catalogue.ts'
import type { Evidence } from '../../../audits/evidence.ts'
import type { Report, RuleReport } from '../../../audits/reports/report.ts'
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
  /** Why it could not be judged, or what was gone at the second look; each once. */
  readonly remarks = new Set<string>()
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
    for (const problem of unjudged) this.remarks.add(problem)
    const red = this.#redIn(first)
    const confirmed: Confirmed[] = []
    if (red.length > 0) {
      const only = red.map(({ id }) => id)
      const second = await this.#audit(evidence, only)
      for (const problem of unjudgedIn(second)) {
        unjudged.push(problem)
        this.remarks.add(problem)
      }
      confirmed.push(...this.#redIn(second).flatMap((rule) => inBoth(rule, red)))
      const gone = only.filter((id) => !confirmed.some(({ text }) => text.startsWith(`${id} `)))
      for (const id of gone) this.remarks.add(`${id} found something that was gone at the second look`)
    }
    this.looks[
      confirmed.length > 0
        ? 'violations'
        : unjudged.length > 0
          ? 'could not judge'
          : red.length > 0
            ? 'transient'
            : 'ok'
    ]++
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

/** Nobody need have done yet what a rule looks at: nothing to look at is no failure here. */
function unjudgedIn({ targets }: Report): string[] {
  return targets.flatMap(({ problem, invariants }) => [
    ...(problem === null ? [] : [problem]),
    ...invariants
      .filter(({ status }) => status === 'error' || status === 'not_run' || status === 'stale')
      .map(({ id, problem: why }) => `${id}: ${why}`),
  ])
}

function inBoth(rule: RuleReport, before: readonly RuleReport[]): Confirmed[] {
  const seen = new Set(
    before.filter(({ id }) => id === rule.id).flatMap(({ sample }) => sample.map((one) => one.fingerprint)),
  )
  return rule.sample
    .filter(({ fingerprint }) => seen.has(fingerprint))
    .map(({ subject_type, subject_id, user_id, detail, expected, actual }) => ({
      text: `${rule.id} (${rule.title}): ${subject_type} ${subject_id}: ${detail}, expected ${number(expected)}, found ${number(actual)}`,
      userId: user_id,
    }))
}

const number = (text: string): string => (/^-?\d+$/.test(text) ? count(BigInt(text)) : text)
