import type { RuleReport } from './report.ts'
import { type Finding, gapOf, group, plural, tokensOf } from './words.ts'

/**
 * Rules, users and tokens of several violated rules together. One fault breaks several rules, and replicas of one
 * database show it several times: so of each user only the largest figure of any one rule counts. Where a rule has
 * more rows than its sample the figures are a lower bound, and say so.
 */
export function totalOf(findings: readonly Finding[]): string {
  const rules = new Set(findings.map(({ rule }) => rule.id)).size
  const named = findings.flatMap(({ rule }) => rule.sample.flatMap(({ user_id }) => user_id ?? []))
  const users = Math.max(new Set(named).size, ...findings.map(({ rule }) => rule.users ?? 0))
  const largest = new Map<string, bigint>()
  for (const { rule } of findings) {
    for (const [who, tokens] of tokensByUser(rule)) {
      if (tokens > (largest.get(who) ?? 0n)) largest.set(who, tokens)
    }
  }
  const sum = [...largest.values()].reduce((a, b) => a + b, 0n)
  const tokens = findings.map(({ rule }) => tokensOf(rule)).reduce((a, b) => (a > b ? a : b), sum)
  const figures = [
    ...(users === 0 ? [] : [plural(users, 'user')]),
    ...(tokens === 0n ? [] : [`${group(String(tokens))} tokens`]),
  ].join(', ')
  if (figures === '') return plural(rules, 'rule')
  const part = findings.some(({ rule }) => (rule.violations ?? 0) > rule.sample.length)
  return `${plural(rules, 'rule')}, ${part ? 'at least ' : ''}${figures}`
}

function tokensByUser(rule: RuleReport): Map<string, bigint> {
  const sums = new Map<string, bigint>()
  if (rule.unit !== 'tokens') return sums
  for (const violation of rule.sample) {
    const who = violation.user_id ?? `${violation.subject_type} ${violation.subject_id}`
    sums.set(who, (sums.get(who) ?? 0n) + gapOf(violation))
  }
  return sums
}
