import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { failed, GREEN, HISTORY, MIXED, report, rule, target, WORST } from './examples.ts'
import { renderHtml } from './html.ts'
import { jsonSchema, renderJson } from './json.ts'
import { renderJunit } from './junit.ts'
import { renderMarkdown } from './markdown.ts'
import { reportSchema } from './report.ts'
import { renderTerminal } from './terminal.ts'
import { verdictLine } from './verdict-line.ts'
import { group, printable, unjudged, violated } from './words.ts'

const EXAMPLES = { green: GREEN, mixed: MIXED, followed: HISTORY, worst: WORST }
const terminal = (of: typeof GREEN) => renderTerminal(of, { color: false })

// A golden file is read by a person whenever it changes: that is its use. `npx vitest run audits/reports -u` writes them.
describe.for([
  ['terminal.txt', terminal],
  ['junit.xml', renderJunit],
  ['markdown.md', renderMarkdown],
  ['html.txt', renderHtml],
  ['report.txt', renderJson],
] as const)('%s', ([name, render]) => {
  test.for(['green', 'mixed', 'followed'] as const)('of a %s night is as it was', async (night) => {
    await expect(render(EXAMPLES[night])).toMatchFileSnapshot(`golden/${night}.${name}`)
  })

  // Ids and details may be as long as a row; a terminal, a step summary (1 MiB) and a build's view are not.
  test('of the worst day is no longer than its reader can take', () => {
    if (name !== 'report.txt') expect(render(WORST).length).toBeLessThan(1_000_000)
  })

  test('never moves the cursor or turns the text, whatever the ids hold', () => {
    if (name === 'report.txt') return
    for (const example of Object.values(EXAMPLES)) {
      expect(/[\p{Cc}\u202a-\u202e]/u.test(render(example).replaceAll('\n', ''))).toBe(false)
    }
  })
})

describe('the JSON report', () => {
  const validate = async () => {
    const text = await readFile(join(import.meta.dirname, 'report.schema.json'), 'utf8')
    return {
      schema: JSON.parse(text),
      check: new Ajv2020({ validateFormats: false }).compile(JSON.parse(text)),
    }
  }

  // Whoever reads the report in another language has this file alone. To write it anew: see audits/README.md.
  test('is what the schema in the repository says', async () => {
    const { schema, check } = await validate()
    expect(schema).toEqual(jsonSchema())
    for (const example of [GREEN, MIXED, HISTORY]) {
      check(JSON.parse(renderJson(example)))
      expect(check.errors).toBeNull()
      expect(reportSchema.safeParse(example).error).toBeUndefined()
    }
  })

  test.for([
    ['an unknown key', { ...GREEN, more: 1 }],
    ['another version', { ...GREEN, version: 3 }],
    ['a number of tokens that is a number', report([target([rule({ impact: 5 as never })])])],
    ['an unknown status', report([target([rule({ status: 'skipped' as never })])])],
  ] as const)('does not have %s', async ([, wrong]) => {
    expect((await validate()).check(wrong)).toBe(false)
    expect(reportSchema.safeParse(wrong).success).toBe(false)
  })
})

describe('the order', () => {
  // By severity first: ten rows of a guard are not more than one lost payment.
  test('is severity, then tokens, then users, over all targets', () => {
    const targets = [
      target([
        failed(1, { id: 'minor', severity: 'minor', impact: '99999999' }),
        failed(1, { id: 'rows', unit: 'rows', impact: '900000000', users: 5 }),
        failed(1, { id: 'few', impact: '7', users: 1 }),
      ]),
      target([
        // One more than a float can tell from the next.
        failed(1, { id: 'most', impact: '9007199254740993' }),
        failed(1, { id: 'next', impact: '9007199254740992' }),
        failed(1, { id: 'major', severity: 'major' }),
        failed(1, { id: 'users', impact: '7', users: 9 }),
      ]),
    ]
    expect(violated(targets).map(({ rule: { id } }) => id)).toEqual([
      'most',
      'next',
      'users',
      'few',
      'rows',
      'major',
      'minor',
    ])
  })

  // 45 lines of one reason hide the one line of another.
  test('of what could not be judged is by target and reason', () => {
    const found = unjudged(MIXED.targets)
    expect(found.map(({ target: { name }, rules }) => [name, ...rules.map(({ id }) => id)])).toEqual([
      ['prod', 'slow', 'slow-too'],
      ['prod', 'empty'],
      ['prod', 'old'],
      ['eu'],
    ])
  })
})

describe('the line of the verdict', () => {
  const line = (...of: Parameters<typeof report>) => verdictLine(report(...of))

  test.for([
    [
      'all is well',
      report([target([rule(), rule()]), target([rule()])]),
      'ALL IS WELL: 3 rules on 2 targets, no violations (exit 0)',
    ],
    ['one rule', report([target([rule()])]), 'ALL IS WELL: 1 rule on 1 target, no violations (exit 0)'],
    [
      'nobody looked at the money',
      report([target([rule()], { needs_evidence: ['a', 'b'] })], { evidence: null }),
      'ALL IS WELL: 1 rule on 1 target, no violations; the money side was not looked at: no evidence was given (2 rules) (exit 0)',
    ],
    [
      'minor findings',
      report([target([rule(), failed(1, { severity: 'minor' })])]),
      'ALL IS WELL: 2 rules on 1 target, no violations at or above major; 1 minor finding below --fail-on major (exit 0)',
    ],
    [
      'violations',
      report([target([failed(2), rule()])], { verdict: 'violations', exit: 1 }),
      'VIOLATIONS: 1 rule, 1 user, 10,000,000 tokens (exit 1)',
    ],
    [
      'a lost target, and violations besides',
      MIXED,
      'COULD NOT JUDGE: 1 of 2 targets, 4 rules; violations besides: 4 rules, 2 users, 35,000,000 tokens; 1 minor finding below --fail-on major; the money side was not looked at: no evidence was given (2 rules) (exit 2)',
    ],
    [
      'nothing at all',
      report([], { verdict: 'could_not_judge', exit: 2 }),
      'COULD NOT JUDGE: nothing was run (exit 2)',
    ],
  ] as const)('says: %s', ([, of, text]) => {
    expect(verdictLine(of)).toBe(text)
  })

  // One lost grant breaks three rules on two replicas: it is still one user and one grant.
  test('counts a fault once, however many rules and replicas show it', () => {
    const both = [failed(1, { id: 'a' }), failed(1, { id: 'b' })]
    expect(
      line([target(both), target(both, { name: 'replica-2' })], { verdict: 'violations', exit: 1 }),
    ).toBe('VIOLATIONS: 2 rules, 1 user, 5,000,000 tokens (exit 1)')
  })

  test('says where its figures are the least', () => {
    const many = failed(10_000, { users: 9_000 })
    expect(line([target([many])], { verdict: 'violations', exit: 1 })).toBe(
      'VIOLATIONS: 1 rule, at least 9,000 users, 50,000,000,000 tokens (exit 1)',
    )
  })
})

describe('the terminal', () => {
  test('ends with the verdict, and paints nothing unless asked', () => {
    expect(terminal(MIXED).split('\n').at(-1)).toBe(verdictLine(MIXED))
    expect(renderTerminal(MIXED, { color: true })).toContain('\u001b[')
  })

  test('shows five subjects, how many more there are, and the line that shows one', () => {
    const text = terminal(report([target([failed(1_234)])]))
    expect(text.match(/^ {4}- grant_key /gm)).toHaveLength(5)
    expect(text).toContain('    - and 1,229 more\n    psql "postgres://audit@db/app"')
  })
})

describe('JUnit', () => {
  const text = renderJunit(MIXED)

  // Whoever reads only <failure> must not take what could not be judged for what passed.
  test('has a failure for what failed, an error for what was not judged, and counts them', () => {
    expect(text).toContain('<testsuites name="token audit" tests="17" failures="5" errors="6" skipped="4">')
    expect(text.match(/<failure /g)).toHaveLength(5)
    expect(text.match(/<error /g)).toHaveLength(6)
    expect(text.match(/<skipped /g)).toHaveLength(4)
  })

  test('is XML, whatever the ids hold', () => {
    expect(text).toContain('cs_&lt;!channel&gt;')
    expect(text).not.toMatch(/&(?!amp;|lt;|gt;|quot;)/)
  })

  test('has no empty suite for a target of which nothing was planned', () => {
    expect(renderJunit(report([target([], { problem: 'no rule' })]))).toContain(
      'tests="1" failures="0" errors="1"',
    )
  })
})

describe('Markdown', () => {
  const text = renderMarkdown(MIXED)

  test('takes nothing in an id for mark-up', () => {
    expect(text).toContain('cs\\_&lt;!channel&gt;\\|\\`\\*\\_\\~')
    expect(text).not.toContain('<!channel>')
  })
})

describe('words', () => {
  test.for([
    ['0', '0'],
    ['999', '999'],
    ['1000', '1,000'],
    ['-1234567', '-1,234,567'],
    ['9007199254740993', '9,007,199,254,740,993'],
    ['1234.50', '1,234.50'],
    ['1234.00', '1,234'],
  ] as const)('%s is %s', ([number, text]) => {
    expect(group(number)).toBe(text)
  })

  test('are one line of visible characters', () => {
    expect(printable('a\u001b[31m\nb\u202ec\ud800 é\u{1f600}')).toBe(
      'a\ufffd[31m\ufffdb\ufffdc\ufffd é\u{1f600}',
    )
  })
})
