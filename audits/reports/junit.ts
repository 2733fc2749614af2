import { STATUSES } from '../verdict.ts'
import { SHOWN, sizeOf } from './findings.ts'
import type { Report, RuleReport, TargetReport } from './report.ts'
import { violationLine } from './terminal.ts'
import { visible } from './words.ts'

/** The report as JUnit's XML: a suite a target, a test case a rule. */
export function renderJunit(report: Report): string {
  const suites = report.targets.map((target) => renderSuite(target, report))
  const count = (name: keyof Counts) => suites.reduce((sum, { counts }) => sum + counts[name], 0)
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="token ledger audit" tests="${count('tests')}" failures="${count('failures')}" errors="${count('errors')}" skipped="${count('skipped')}">`,
    ...suites.flatMap(({ lines }) => lines),
    '</testsuites>',
    '',
  ].join('\n')
}

interface Counts {
  readonly tests: number
  readonly failures: number
  readonly errors: number
  readonly skipped: number
}

interface Case {
  readonly kind: 'passed' | 'failure' | 'error' | 'skipped'
  readonly xml: string
}

function renderSuite(target: TargetReport, report: Report): { lines: string[]; counts: Counts } {
  const cases: Case[] = [
    // A target of which nothing can be judged, and no rule was planned, must not be an empty suite.
    ...(target.problem === null ? [] : [testCase(target.name, 'the target', 0, 'error', target.problem)]),
    ...target.invariants.map((rule) => ruleCase(target.name, rule)),
    ...target.not_applicable.map((id) =>
      testCase(target.name, id, 0, 'skipped', `has no meaning at stage ${target.stage}`),
    ),
    ...target.needs_evidence.map((id) =>
      testCase(target.name, id, 0, 'skipped', 'not judged: no evidence was given'),
    ),
  ]
  const number = (kind: Case['kind']) => cases.filter((one) => one.kind === kind).length
  const counts = {
    tests: cases.length,
    failures: number('failure'),
    errors: number('error'),
    skipped: number('skipped'),
  }
  const ms = target.invariants.reduce((sum, rule) => sum + rule.ms, 0)
  return {
    counts,
    lines: [
      `  <testsuite name="${escaped(target.name)}" timestamp="${report.started_at}" time="${ms / 1_000}" tests="${counts.tests}" failures="${counts.failures}" errors="${counts.errors}" skipped="${counts.skipped}">`,
      ...cases.map(({ xml }) => xml),
      '  </testsuite>',
    ],
  }
}

function ruleCase(target: string, rule: RuleReport): Case {
  const { id, title, status, ms, problem, severity, why, fix, sample } = rule
  if (status === 'fail') {
    const body = [title, `why: ${why}`, `fix: ${fix}`, ...sample.slice(0, SHOWN).map(violationLine)]
    return testCase(target, id, ms, 'failure', `${severity}: ${sizeOf(rule)}`, body)
  }
  if (!STATUSES[status].judged) {
    return testCase(target, id, ms, 'error', `${status}: ${problem ?? STATUSES[status].means}`, [title])
  }
  if (status === 'waived') return testCase(target, id, ms, 'skipped', STATUSES.waived.means)
  return testCase(target, id, ms, 'passed')
}

function testCase(
  target: string,
  name: string,
  ms: number,
  kind: Case['kind'],
  message = '',
  body: readonly string[] = [],
): Case {
  const open = `    <testcase classname="${escaped(target)}" name="${escaped(name)}" time="${ms / 1_000}"`
  if (kind === 'passed') return { kind, xml: `${open}/>` }
  const inner =
    body.length === 0
      ? `<${kind} message="${escaped(message)}"/>`
      : `<${kind} message="${escaped(message)}">${body.map(escaped).join('\n')}</${kind}>`
  return { kind, xml: `${open}>\n      ${inner}\n    </testcase>` }
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** XML knows no way to write most control characters at all. */
function escaped(text: string): string {
  return visible(text).replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char)
}
