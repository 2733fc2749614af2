import type { Judgement } from '../../scenarios/engine/schema-change/check.ts'
import type { Finding } from '../../scenarios/engine/schema-change/finding.ts'

export type Verdict = 'no harm' | 'harm' | 'could not judge'

/** What could not be judged wins: nobody knows what it would have been. */
export function verdictOf({ findings, unjudged }: Judgement): Verdict {
  if (unjudged.length > 0) return 'could not judge'
  return harmsOf(findings).length > 0 ? 'harm' : 'no harm'
}

export const EXIT: Readonly<Record<Verdict, number>> = { 'no harm': 0, harm: 1, 'could not judge': 2 }

export function harmsOf(findings: readonly Finding[]): readonly Finding[] {
  return findings.filter(({ level }) => level === 'harm')
}

/** The verdict, with its figures, as one line. */
export function verdictLine(judgement: Judgement): string {
  const harms = harmsOf(judgement.findings).length
  const said = harms === 0 ? '' : `: ${harms} ${harms === 1 ? 'finding' : 'findings'} of harm`
  const dark = judgement.unjudged.length
  const verdict = verdictOf(judgement)
  if (verdict === 'could not judge') {
    return `could not judge: ${dark} ${dark === 1 ? 'question is' : 'questions are'} open${said.replace(':', ',')}`
  }
  return `${verdict}${said}`
}

/** The findings, harm first. */
export function sorted(findings: readonly Finding[]): readonly Finding[] {
  return LEVELS.flatMap((level) => findings.filter((finding) => finding.level === level))
}

const LEVELS = ['harm', 'better', 'note'] as const
