import { count } from '../story.ts'
import { SOAK_FAULTS, type SoakFault } from './faults.ts'
import type { Soaked } from './soak.ts'
import { LOOKS } from './standby-audit.ts'

/** Of violations, those that are told. */
const SHOWN = 20

const FAULT_WORDS: Readonly<Record<SoakFault, string>> = {
  fails: 'a statement fails',
  ended: 'the backend is ended before a statement',
  unanswered: 'a statement is done, and its answer lost',
  killed: "the app's process is killed",
  stripe: "Stripe's API is out of order",
}

/** The figures of a soak, and what it has found, as text. */
export function renderSoak(soaked: Soaked): string {
  const { violations } = soaked
  const more = violations.length - SHOWN
  return [
    ...violations.slice(0, SHOWN).flatMap(({ text, timeline = [] }) => [`✗ ${text}`, ...timeline, '']),
    ...(more > 0 ? [`… and ${more} more`, ''] : []),
    ...figuresOf(soaked),
  ].join('\n')
}

function figuresOf({
  figures,
  faults,
  looks,
  looksMeanwhile,
  highestLagMs,
  seconds,
  reckoning,
}: Soaked): string[] {
  const line = (what: string, value: string, more = '') =>
    `  ${what.padEnd(18)}${value.padStart(16)}  ${more}`
  const each = (what: string, n: number, more = '') => line(what, count(BigInt(n)), more)
  const ways = LOOKS.filter((look) => looks[look] > 0).map((look) => `${looks[look]} ${look}`)
  return [
    each(
      'deliveries',
      figures.deliveries,
      `in ${seconds.toFixed(0)} s, at most ${figures.highestRate} a second`,
    ),
    each('requests', figures.requests, 'of admins and of AI features'),
    each('  sent again', figures.repeated, 'of both'),
    each('  overlapped', figures.overlapped, 'sent while another of the same user was under way'),
    each('  refused', figures.refused, 'or not answered'),
    each('users', figures.users),
    line('faults', 'planned', '   hit'),
    ...SOAK_FAULTS.map((how) =>
      each('', faults.planned[how], `${String(faults.hit[how]).padStart(6)}  ${FAULT_WORDS[how]}`),
    ),
    ...(reckoning === undefined
      ? [line('grants', 'not counted', 'it did not come to its end')]
      : [
          each('grants', reckoning.grants),
          line('tokens', count(reckoning.tokens), 'granted'),
          each('lost', reckoning.lost.length),
          each('doubled', reckoning.doubled.length),
          each('wrong balances', reckoning.balances.length, 'not the sum of their deltas'),
        ]),
    each(
      'audits',
      LOOKS.reduce((sum, look) => sum + looks[look], 0),
      `of the standby, ${looksMeanwhile} of them while deliveries were under way: ${ways.join(', ') || 'none'}`,
    ),
    line('highest lag', `${Math.round(highestLagMs)} ms`, 'of what the standby showed'),
  ].map((text) => text.trimEnd())
}
