import type { Performance } from './play.ts'
import { count, say } from './story.ts'
import { renderRow } from './timeline.ts'

/** A performance in short: a line a step, and what it wrote; requests that wrote nothing are only counted. */
export function renderDigest({ played, cast }: Performance): string {
  const names = new Map([...cast.people].map(([name, { userId }]) => [userId, name]))
  const nameOf = (userId: string) => names.get(userId) ?? `user ${userId}`
  return played
    .map(({ step, sent }, index) => {
      const refused = sent.filter(({ status }) => status >= 300).length
      const answers = refused === 0 ? 'all 2xx' : `${refused} not 2xx`
      const head = `  ${String(index + 1).padStart(2)}. ${say(step.act)}`.padEnd(58)
      const rows = sent.flatMap(({ changes }) =>
        changes.added.map((row) => `      + ${renderRow(row, nameOf)}`),
      )
      const balances = sent.flatMap(({ changes }) =>
        changes.balances
          .filter(({ profile }) => profile === 'active')
          .map(
            ({ userId, before, balance }) => `${nameOf(userId)}: ${count(before ?? 0n)} → ${count(balance)}`,
          ),
      )
      const moved = balances.length === 0 ? [] : [`      = balance of ${balances.join('; ')}`]
      return [`${head} ${sent.length} requests, ${answers}`, ...rows, ...moved].join('\n')
    })
    .join('\n')
}
