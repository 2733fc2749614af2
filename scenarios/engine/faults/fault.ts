import type { Report } from '../../../audits/reports/report.ts'
import type { World } from './world.ts'

/** What the audit said of a fault. */
export interface Said {
  /** Of the rule that the fault meets, or what became of the target as a whole. */
  readonly status: string
  readonly exit: number
  readonly text: string
}

/** One way in which an audit can be led astray, and what it must say. */
export interface Fault {
  readonly name: string
  readonly status: string
  readonly exit: number
  /** What its text must hold: the reason, and what to do. */
  readonly says: RegExp
  /** Breaks, lets the audit look, and mends. */
  run(world: World): Promise<Said>
}

/** What a report says of its last target: of the first rule that did not pass, else of the target. */
export function saidOf(report: Report): Said {
  const target = report.targets.at(-1)
  const rules = target?.invariants ?? []
  const rule = rules.find(({ status }) => status !== 'pass') ?? rules[0]
  const texts = [
    target?.problem,
    rule?.problem,
    ...(rule?.lapsed ?? []),
    ...(target?.warnings ?? []),
    rule !== undefined && rule.attempts > 1 ? `attempts: ${rule.attempts}` : null,
    rule?.transient ? `transient: ${rule.transient}` : null,
  ]
  return {
    status: rule?.status ?? 'nothing',
    exit: report.exit,
    text: texts.filter((text) => text !== null && text !== undefined && text !== '').join(' | '),
  }
}
