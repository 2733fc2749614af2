import type { Mutant } from '../../fixtures/app/mutants.ts'
import type { Score } from '../../scenarios/engine/explore/score.ts'
import type { Played } from './play.ts'

/** A line a mutant, what is wrong with those that survived, and the sums. */
export function renderScores(played: readonly Played[]): string {
  const lines = played.map((one) => {
    const { name } = one.mutant
    if ('problem' in one) return `${name}\n    could not be judged: ${one.problem}`
    const { killed, runs } = one.score
    const by = killed
      ? `killed by ${killed.story}, ${killed.plan}, after ${runs} ${runs === 1 ? 'run' : 'runs'}: ${killed.complaint}`
      : `SURVIVED ${runs} runs${sayLeft(one.score)}: ${one.mutant.defect}`
    return `${name}\n    ${by}\n    the audit alone: ${sayAudit(one.mutant, one.score)}`
  })
  const scores = played.flatMap((one) => ('score' in one ? [one.score] : []))
  const killed = scores.filter((score) => score.killed !== undefined).length
  const seen = scores.filter(({ audit }) => audit.length > 0).length
  const alone = scores.filter(({ auditAlone }) => auditAlone.length > 0).length
  return [
    ...lines,
    '',
    `${played.length} ${played.length === 1 ? 'mutant' : 'mutants'}: ${killed} killed, ${scores.length - killed} survived, ` +
      `${played.length - scores.length} could not be judged; the audit alone sees ${seen}, ${alone} of them without evidence`,
  ].join('\n')
}

function sayLeft({ left }: Score): string {
  if (left === 0) return ''
  return left === undefined
    ? ', before any plan: give it more time by --budget'
    : `, and ${left} plans were not begun`
}

function sayAudit({ unseen }: Mutant, { audit, auditAlone }: Score): string {
  const seen = auditAlone[0] ?? audit[0]
  if (seen === undefined) return `sees nothing: ${unseen ?? 'nobody has said why'}`
  const how = auditAlone.length > 0 ? 'without evidence' : 'with evidence'
  return `${seen}, ${how}${unseen === undefined ? '' : `, though its file says that it can't: ${unseen}`}`
}
