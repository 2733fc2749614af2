import { SEVERITIES, type Severity } from './catalogue.ts'

/** Every status that a rule can end with, what it means, and what it does to the exit code. */
export const STATUSES = {
  pass: { judged: true, gates: false, means: 'ran, looked at something, found nothing' },
  waived: { judged: true, gates: false, means: 'found only what a live waiver names, inside its bounds' },
  transient: { judged: true, gates: false, means: 'found only what was gone at the second look' },
  fail: { judged: true, gates: true, means: 'found violations' },
  vacuous: { judged: false, gates: false, means: 'had nothing, or much less than before, to look at' },
  stale: { judged: false, gates: false, means: 'looked at data that is older than allowed' },
  error: { judged: false, gates: false, means: 'could not be evaluated' },
  not_run: { judged: false, gates: false, means: 'was planned, and not executed' },
} as const satisfies Record<string, { judged: boolean; gates: boolean; means: string }>

export type Status = keyof typeof STATUSES

/** Exit codes of the audit's command. */
export const EXITS = {
  0: 'all rules that were run found nothing at or above --fail-on',
  1: 'violations',
  2: 'could not judge; wins over 1, the report shows both',
  3: 'bad usage or configuration, and nothing was run; or a waiver that nothing needs any more, after the run',
  4: 'the verdict was not delivered: Slack, a report file, the history; wins over all others',
  130: 'interrupted: there is no verdict, or it was printed and not all of it delivered',
} as const

export type Verdict = 'ok' | 'violations' | 'could_not_judge'

/**
 * The verdict of a run. `could_not_judge` as soon as one rule was not judged, whatever its severity, or a target
 * as a whole, or when nothing was judged at all.
 *
 * @param problems of targets as a whole
 * @param failOn the least severity whose violations count
 */
export function verdictOf(
  rules: readonly { readonly status: Status; readonly severity: Severity }[],
  problems: number,
  failOn: Severity,
): { verdict: Verdict; exit: 0 | 1 | 2 } {
  if (problems > 0 || rules.length === 0 || rules.some(({ status }) => !STATUSES[status].judged)) {
    return { verdict: 'could_not_judge', exit: 2 }
  }
  if (rules.some(({ status, severity }) => STATUSES[status].gates && reaches(severity, failOn))) {
    return { verdict: 'violations', exit: 1 }
  }
  return { verdict: 'ok', exit: 0 }
}

/** Whether a severity is at or above another. */
export function reaches(severity: Severity, least: Severity): boolean {
  return SEVERITIES.indexOf(severity) <= SEVERITIES.indexOf(least)
}
