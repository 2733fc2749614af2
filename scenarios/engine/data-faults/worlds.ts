import { type Evidence, parseEvidence } from '../../../audits/evidence.ts'
import { people } from '../../../fixtures/people.ts'
import { withDatabase } from '../../../fixtures/postgres/connection.ts'
import type { Revision } from '../../../fixtures/postgres/databases.ts'
import { type EvidenceText, fillUnified } from '../healthy.ts'
import { usersIn } from '../house.ts'
import { IN_ORDER } from '../plan.ts'
import { Play } from '../play.ts'
import { STORIES } from '../stories.ts'
import type { Story } from '../story.ts'

/** A healthy ledger, to be made and broken. */
export interface World {
  readonly name: string
  /** What its database is made from. */
  readonly revision: Revision
  fill(databaseUrl: string): Promise<Evidence>
}

/** Every story on the repaired app, and the shop whose ledger was repaired between two months. */
export const WORLDS: readonly World[] = [
  ...STORIES.map(worldOf),
  { name: 'two-months', revision: 'as-found', fill: (url) => withBystander(url, fillUnified) },
]

/** What a story leaves in the database of the repaired app. */
export function worldOf(story: Story): World {
  const tell = async (databaseUrl: string): Promise<EvidenceText> => {
    const play = await Play.open({ databaseUrl })
    try {
      const app = await play.startApp('repaired')
      const { complaints } = await play
        .perform(story, app, { plan: IN_ORDER, isWatched: false })
        .finally(() => app.close())
      if (complaints.length > 0) throw new Error(`${story.name} is not as told:\n${complaints.join('\n')}`)
      return JSON.stringify(play.evidence())
    } finally {
      await play.close()
    }
  }
  return { name: story.name, revision: 'unified', fill: (url) => withBystander(url, tell) }
}

/** Somebody else is there too, with a profile and nothing on it: what is one user's can be filed under another. */
async function withBystander(
  databaseUrl: string,
  fill: (databaseUrl: string) => Promise<EvidenceText>,
): Promise<Evidence> {
  const text = await fill(databaseUrl)
  await withDatabase(databaseUrl, async (client) => {
    const addUsers = await usersIn(client)
    await addUsers(Object.values(people(1, ['bystander'])))
  })
  return parseEvidence(text, 'the evidence of a healthy ledger')
}
