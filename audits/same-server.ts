import type { Look } from './look.ts'
import type { Outcome } from './session.ts'

/**
 * Targets that are the same database of the same server as one before them, whatever their URLs say: counted twice,
 * it would look like two. A primary and its standbys share the system identifier and not the moment of their start.
 *
 * @returns name of a target → name of the one before it
 */
export function twinsOf(
  targets: readonly { readonly name: string; readonly look: Outcome<Look> }[],
): ReadonlyMap<string, string> {
  const first = new Map<string, string>()
  const twins = new Map<string, string>()
  for (const { name, look } of targets) {
    if (!('value' in look)) continue
    const { system, startedAt, database } = look.value
    const place = [system, startedAt, database].join('\0')
    const before = first.get(place)
    if (before === undefined) first.set(place, name)
    else twins.set(name, before)
  }
  return twins
}
