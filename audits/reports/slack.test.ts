import { describe, expect, test } from 'vitest'
import { dark, failed, GREEN, MIXED, report, target, violation, WORST } from './examples.ts'
import { slackMessage } from './slack.ts'

const EXAMPLES = { green: GREEN, mixed: MIXED, worst: WORST }

describe('Slack', () => {
  test('is told nothing when all is well, minor findings or not', () => {
    expect(slackMessage(GREEN)).toBeUndefined()
    expect(slackMessage(report([target([failed(1, { severity: 'minor' })])]))).toBeUndefined()
  })

  // Slack refuses the whole message for one character too many: on the worst day, nobody would be told.
  test.for(
    Object.entries({
      ...EXAMPLES,
      lost: report(
        Array.from({ length: 90 }, (_, n) =>
          target([dark('error')], { name: `t${n}`, problem: 'x'.repeat(9_000) }),
        ),
        { verdict: 'could_not_judge', exit: 2 },
      ),
    }),
  )('takes the message of the %s night: it is within the limits', ([, of]) => {
    const message = slackMessage(of, 'https://ci.example.com/run/1')
    if (message === undefined) return
    const { text, blocks } = message
    expect(blocks.length).toBeLessThanOrEqual(50)
    expect(text.length).toBeLessThanOrEqual(4_000)
    for (const block of blocks) {
      const [shown, limit] =
        block.type === 'header'
          ? [block.text.text, 150]
          : block.type === 'section'
            ? [block.text?.text ?? '', 3_000]
            : ['', 0]
      expect(shown.length).toBeGreaterThan(0)
      expect(shown.length).toBeLessThanOrEqual(limit)
      expect(shown.isWellFormed()).toBe(true)
    }
  })

  test('hears first what could not be judged, and at the end what is left out', () => {
    const blocks =
      slackMessage(WORST)?.blocks.map((block) => (block.type === 'section' ? block.text?.text : '')) ?? []
    expect(blocks).toHaveLength(45)
    expect(blocks.at(-1)).toBe('and 78 more, in the report')
    expect(JSON.stringify(slackMessage(MIXED)?.blocks[2])).toContain('could not judge')
  })

  // `<!channel>` in an id would wake everybody up.
  test('finds no mention and no link in what a database holds', () => {
    const strange = violation({ subject_type: '<!here>', subject_id: '<!channel> <https://evil|x>' })
    const message = JSON.stringify(
      slackMessage(report([target([failed(1, { sample: [strange] })])], { verdict: 'violations', exit: 1 })),
    )
    expect(message).not.toMatch(/<[!@#h]/)
  })

  // Details are written by rules over rows; ids are opaque.
  test('is told ids, not details', () => {
    expect(JSON.stringify(slackMessage(MIXED))).not.toContain('paid, and not granted')
  })
})
