import { posix } from 'node:path'
import type { Import } from './imports.ts'

/** The arrows between the rooms: what a file of a room may import beside its own room and packages. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  audits: [],
  fixtures: [],
  scenarios: ['audits', 'fixtures'],
  scripts: ['audits', 'fixtures', 'scenarios/engine'],
}

/** What is wrong with these imports, one line each; nothing when all of them follow the arrows. */
export function wrongArrows(imports: readonly Import[]): string[] {
  return imports.flatMap(({ file, line, specifier }) => {
    const wrong = specifier === null ? 'something computed, which nobody can check' : across(file, specifier)
    return wrong === undefined ? [] : [`${file}:${line} imports ${wrong}`]
  })
}

function across(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('/') || specifier.startsWith('file:')) return `${specifier}, a path of one machine`
  if (!specifier.startsWith('.')) return undefined
  const target = posix.join(posix.dirname(file), specifier)
  const room = roomOf(file)
  const reach = room === '' ? [] : [room, ...(MAY_IMPORT[room] ?? [])]
  if (reach.some((place) => target.startsWith(`${place}/`))) return undefined
  return `${target}, which ${room === '' ? 'a file outside the rooms' : room} may not`
}

/** The folder at the top that holds the file; '' for a file at the top itself. */
function roomOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : ''
}
