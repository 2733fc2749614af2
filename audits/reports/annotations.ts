import { reaches } from '../verdict.ts'
import type { Report } from './report.ts'
import { changeOf, type Finding, measureOf, unjudged, violated } from './words.ts'
import { type Annotation, renderCommands } from './workflow-commands.ts'

/**
 * Workflow commands that make GitHub annotate the files of the rules (GitHub's docs, "Workflow commands"): what could
 * not be judged, then violations, the most severe first, then waivers that lapsed though another one covers the rows; at
 * most as many as are shown, the last one says how many more there are.
 */
export function renderAnnotations(report: Report): string {
  return renderCommands('Token audit', [...dark(report), ...red(report), ...lapsed(report)])
}

function dark({ targets }: Report): Annotation[] {
  return unjudged(targets).map(({ target, rules, problem }) => ({
    level: 'error',
    title: `Could not judge ${target.name}: ${rules.length === 0 ? 'the whole target' : rules.map(({ id }) => id).join(', ')}`,
    text: problem,
    ...(rules[0] !== undefined && { file: rules[0].file }),
  }))
}

function red({ targets, fail_on }: Report): Annotation[] {
  return violated(targets).map((finding) => ({
    level: reaches(finding.rule.severity, fail_on) ? 'error' : 'warning',
    title: `${finding.rule.severity} on ${finding.target.name}: ${finding.rule.title}`,
    text: [about(finding), finding.rule.fix, ...lapsedOf(finding)].join(' '),
    file: finding.rule.file,
  }))
}

function lapsed({ targets }: Report): Annotation[] {
  return targets
    .flatMap((target) => target.invariants.map((rule) => ({ target, rule })))
    .filter(({ rule }) => rule.status === 'waived' && rule.lapsed.length > 0)
    .map((finding) => ({
      level: 'warning',
      title: `waived on ${finding.target.name}: ${finding.rule.title}`,
      text: [about(finding), ...lapsedOf(finding)].join(' '),
      file: finding.rule.file,
    }))
}

function about({ rule }: Finding): string {
  const change = changeOf(rule)
  return `${rule.id}: ${measureOf(rule)}${change === null ? '' : `, ${change}`}.`
}

function lapsedOf({ rule }: Finding): string[] {
  return rule.lapsed.map((waiver) => `Waiver lapsed: ${waiver}.`)
}
