import type { Finding } from './finding.ts'
import type { Played, Plays } from './plays.ts'

const NAMED = 3

/**
 * Invariants that the change turned red or green, each with the stories that show it, and effects that are no longer
 * as told. Where the change leads to another stage, another app plays: a rule that has no meaning on one side is not
 * compared, and the effects of the app as found were not asked.
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
    const lines = now.told.filter((line) => !(was?.told ?? []).includes(line))
    if (lines[0] !== undefined) {
      told.push({
        level: 'harm',
        what: `story ${sayPlay(now)} is no longer as told: ${lines[0]}${lines.length > 1 ? `, and ${lines.length - 1} more` : ''}`,
      })
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

function add(map: Map<string, string[]>, id: string, played: Played): void {
  map.set(id, [...(map.get(id) ?? []), sayPlay(played)])
}

const keyOf = ({ story, plan }: Played) => `${story} ${plan}`
const sayPlay = ({ story, plan }: Played) => (plan === 'twice' ? `${story} (everything twice)` : story)

function list(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(', ')
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown
}
