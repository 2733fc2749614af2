import type { Catalogue } from '../../audits/catalogue.ts'
import type { AppRevision } from '../../fixtures/app/app.ts'
import type { Source } from '../../fixtures/postgres/databases.ts'
import { UsageError } from '../../fixtures/postgres/usage-error.ts'
import type { Schema } from '../../fixtures/schema/schema.ts'
import {
  appFor,
  type Installed,
  renderInstalled,
  renderLeft,
  rulesFor,
  withoutMeaning,
} from '../../scenarios/engine/given-schema.ts'
import { allRules } from '../../scenarios/engine/outcome.ts'
import type { Story } from '../../scenarios/engine/story.ts'

/** What stories are played on, and what of them and of the rules has meaning there. */
export interface Ground {
  readonly source: Source
  readonly app: AppRevision
  readonly stories: readonly Story[]
  /** Undefined: all rules. */
  readonly catalogue: Catalogue | undefined
}

/** The apps that there are, one elsewhere included: that is asked for what the repaired one does. */
type WantedApp = AppRevision | object | undefined

export function revisionFor(app: WantedApp): 'as-found' | 'unified' {
  return app === 'as-found' ? 'as-found' : 'unified'
}

/** Our own schema, of the revision that an app is written for. */
export function ownGround({ app, stories }: { app: WantedApp; stories: readonly Story[] }): Ground {
  const source = revisionFor(app)
  return { source, app: source === 'as-found' ? 'as-found' : 'repaired', stories, catalogue: undefined }
}

/**
 * Looks at what a schema came to, prints it with all that has no meaning on it, and says what can be played.
 * Throws UsageError for an app that is written for another stage, and Error when no story has meaning.
 */
export async function givenGround(
  schema: Schema,
  installed: Installed,
  source: Source,
  databaseUrl: string,
  wanted: { readonly app: WantedApp; readonly stories: readonly Story[] },
): Promise<Ground> {
  const { stage } = installed
  const app = appFor(stage)
  for (const line of renderInstalled(schema, installed)) console.log(line)
  if (typeof wanted.app === 'string' && wanted.app !== app) {
    throw new UsageError(
      `--app ${wanted.app} is not written for stage ${stage}: leave it out, or give ${app}`,
    )
  }
  const { catalogue, left } = await rulesFor(await allRules(), databaseUrl, installed)
  for (const line of renderLeft(left)) console.log(line)
  const stories = wanted.stories.filter((story) => {
    const why = withoutMeaning(story, installed)
    if (why !== undefined) console.log(`  no meaning here: story ${story.name} (${why})`)
    return why === undefined
  })
  if (stories.length === 0) throw new Error('no story has meaning on this schema: nothing was played')
  return { source, app, stories, catalogue }
}
