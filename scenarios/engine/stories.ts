import { UsageError } from '../../fixtures/postgres/usage-error.ts'
import { regressions } from '../regressions/index.ts'
import { admins } from '../stories/admin.ts'
import { annual } from '../stories/annual.ts'
import { bystanders } from '../stories/bystanders.ts'
import { cycles } from '../stories/cycle.ts'
import { mixtures } from '../stories/mixture.ts'
import { packs } from '../stories/pack.ts'
import { trials } from '../stories/trial.ts'
import { troubles } from '../stories/trouble.ts'
import { uses } from '../stories/use.ts'
import type { Story } from './story.ts'

/** Every story, in the order in which they are played. */
export const STORIES: readonly Story[] = [
  ...packs,
  ...annual,
  ...cycles,
  ...trials,
  ...admins,
  ...uses,
  ...bystanders,
  ...troubles,
  ...mixtures,
  ...regressions.map(({ story }) => story),
]

/** The stories of these names; all for none. Throws UsageError, with the names that there are. */
export function storiesNamed(names: readonly string[]): readonly Story[] {
  if (names.length === 0) return STORIES
  return names.map((name) => {
    const found = STORIES.find((story) => story.name === name)
    if (found !== undefined) return found
    const known = STORIES.map((story) => `  ${story.name.padEnd(28)} ${story.title}`)
    throw new UsageError([`no story "${name}"; the stories are:`, ...known].join('\n'))
  })
}
