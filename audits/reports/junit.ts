import { STATUSES } from '../verdict.ts'
import type { Report, RuleReport, TargetReport } from './report.ts'
import { verdictLineWithChanges } from './verdict-line.ts'
import {
  changeOf,
  measureOf,
  printable,
  remarksOf,
  runNotes,
  shownOf,
  targetLine,
  targetNotes,
  violationLine,
  wereViolated,
} from './words.ts'

/** JUnit: a suite a target, a case a rule. fail → failure, could not judge → error, waived and not judged → skipped. */
export function renderJunit(report: Report): string {
  const suites = report.targets.map((target) => suite(target, report))
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${report.drill ? 'FIRE DRILL: ' : ''}token audit"${counts(suites.flatMap(({ cases }) => cases))}>`,
    ...suites.flatMap(({ lines }) => lines),
    '</testsuites>',
    '',
  ].join('\n')
}

interface Case {
  readonly outcome: 'failure' | 'error' | 'skipped' | 'passed'
  readonly lines: readonly string[]
}

function suite(target: TargetReport, report: Report): { cases: readonly Case[]; lines: readonly string[] } {
  const whole =
    target.problem === null
      ? []
      : [testcase(target, 'the target as a whole', 0, 'error', target.problem, targetLine(target))]
  const cases = [
    ...whole,
    ...target.invariants.map((rule) => ruleCase(target, rule)),
    ...target.skipped.map(({ id, reason }) => testcase(target, id, 0, 'skipped', `left out: ${reason}`)),
    ...target.needs_evidence.map((id) => testcase(target, id, 0, 'skipped', 'no evidence was given')),
    ...target.not_applicable.map((id) =>
      testcase(target, id, 0, 'skipped', `has no meaning at stage ${target.stage}`),
    ),
  ]
  const time = target.invariants.reduce((sum, { ms }) => sum + ms, 0) / 1_000
  return {
    cases,
    lines: [
      `  <testsuite name="${xml(target.name)}"${counts(cases)} time="${time}" timestamp="${report.started_at.slice(0, 19)}">`,
      '    <properties>',
      `      <property name="verdict" value="${xml(verdictLineWithChanges(report))}"/>`,
      `      <property name="target" value="${xml(targetLine(target))}"/>`,
      ...[...runNotes(report), ...targetNotes(target)].map(
        (note) => `      <property name="note" value="${xml(note)}"/>`,
      ),
      '    </properties>',
      ...cases.flatMap(({ lines }) => lines),
      '  </testsuite>',
    ],
  }
}

function ruleCase(target: TargetReport, rule: RuleReport): Case {
  const { gates, judged, means } = STATUSES[rule.status]
  const found = shownOf(rule).map((violation) => violationLine(violation, rule))
  if (!judged) {
    const before = wereViolated([rule]).map((known) => `violated when it was last judged: ${known}`)
    const body = [rule.problem ?? '', ...before, ...found].join('\n')
    return testcase(target, rule.id, rule.ms, 'error', `${rule.status}: ${means}`, body)
  }
  const about = [measureOf(rule), changeOf(rule)].filter((part) => part !== null).join(', ')
  if (gates) {
    const psql = rule.psql === null ? [] : [rule.psql]
    const body = [rule.why, rule.fix, ...remarksOf(rule), ...found, ...psql].join('\n')
    const message = `${rule.severity}: ${rule.title}: ${about}`
    return testcase(target, rule.id, rule.ms, 'failure', message, body)
  }
  if (rule.status === 'waived') {
    const body = [...remarksOf(rule), ...found].join('\n')
    return testcase(target, rule.id, rule.ms, 'skipped', `waived: ${about}`, body)
  }
  return testcase(target, rule.id, rule.ms, 'passed', '')
}

function testcase(
  target: TargetReport,
  name: string,
  ms: number,
  outcome: Case['outcome'],
  message: string,
  body = '',
): Case {
  const head = `    <testcase classname="${xml(target.name)}" name="${xml(name)}" time="${ms / 1_000}"`
  if (outcome === 'passed') return { outcome, lines: [`${head}/>`] }
  const inner =
    body === ''
      ? `      <${outcome} message="${xml(message)}"/>`
      : `      <${outcome} message="${xml(message)}">${xml(body)}</${outcome}>`
  return { outcome, lines: [`${head}>`, inner, '    </testcase>'] }
}

function counts(cases: readonly Case[]): string {
  const of = (outcome: Case['outcome']) => cases.filter((one) => one.outcome === outcome).length
  return ` tests="${cases.length}" failures="${of('failure')}" errors="${of('error')}" skipped="${of('skipped')}"`
}

/** XML 1.0 has no way at all to write most control characters; lines of a body stay lines. */
function xml(text: string): string {
  const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
  return text
    .split('\n')
    .map(printable)
    .join('\n')
    .replaceAll(/[\ufffe\uffff]/g, '\ufffd')
    .replaceAll(/[&<>"]/g, (character) => escapes[character] ?? '')
}
