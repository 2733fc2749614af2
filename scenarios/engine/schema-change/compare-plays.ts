import { isTwice, printPlan } from '../plan.ts'
import type { Finding } from './finding.ts'
import type { Played, Plays } from './plays.ts'

const NAMED = 3

/**
 * Invariants that the change turned red or green, each with the stories that show it, and effects that are no longer
 * as told. The app as found is not as told in many of them before any change; what counts is what becomes worse. Where
 * the change leads to another stage another app plays, and a rule that has no meaning on one side is not compared.
 */
export function comparePlays(before: Plays, after: Plays): Finding[] {
  const old = new Map(before.played.map((one) => [keyOf(one), one]))
  const turned = { red: new Map<string, string[]>(), green: new Map<string, string[]>() }
  const told: Finding[] = []
  for (const now of after.played) {
    const was = old.get(keyOf(now))
    const redBefore = was?.red ?? []
    for (const id of now.red) if (!redBefore.includes(id) && !now.minor.includes(id)) add(turned.red, id, now)
    for (const id of redBefore) {
      if (!now.red.includes(id) && after.catalogue.invariants.some((rule) => rule.id === id))
        add(turned.green, id, now)
    }
    const worse = now.complaints.filter((line) => !was?.complaints.some((old) => isSame(old, line)))
    if (worse[0] !== undefined) {
      told.push({
        level: 'harm',
        what: `story ${sayPlay(now)} is no longer as told: ${worse[0]}${worse.length > 1 ? `, and ${worse.length - 1} more` : ''}`,
      })
    } else if (now.complaints.length === 0 && was !== undefined && was.complaints.length > 0) {
      told.push({ level: 'better', what: `story ${sayPlay(now)} is as told now` })
    }
  }
  return [
    ...[...turned.red].map(([id, stories]): Finding => {
      return { level: 'harm', what: `invariant turned red: ${id}, in ${list(stories)}` }
    }),
    ...[...turned.green].map(([id, stories]): Finding => {
      return { level: 'better', what: `invariant turned green: ${id}, in ${list(stories)}` }
    }),
    ...told,
    ...[...after.without]
      .filter(([name]) => !before.without.has(name))
      .map(
        ([name, why]): Finding => ({ level: 'harm', what: `story ${name} can't be played any more: ${why}` }),
      ),
    ...[...before.without]
      .filter(([name]) => !after.without.has(name))
      .map(([name]): Finding => ({ level: 'better', what: `story ${name} can be played now` })),
  ]
}

const UUID = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g

/** Rows get new ids each time. */
const isSame = (one: string, other: string) => one.replaceAll(UUID, '') === other.replaceAll(UUID, '')

function add(map: Map<string, string[]>, id: string, played: Played): void {
  map.set(id, [...(map.get(id) ?? []), sayPlay(played)])
}

const keyOf = ({ story, plan }: Played) => `${story} ${printPlan(plan)}`
const sayPlay = ({ story, plan }: Played) => (isTwice(plan) ? `${story} (everything twice)` : story)

function list(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(', ')
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown
}
