import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { renderAnnotations } from './annotations.ts'
import {
  DARK,
  DRILLED,
  dark,
  failed,
  GREEN,
  HISTORY,
  MIXED,
  report,
  rule,
  target,
  violation,
  WORST,
} from './examples.ts'
import { renderHtml } from './html.ts'
import { STYLE } from './html-style.ts'
import { jsonSchema, renderJson } from './json.ts'
import { renderJunit } from './junit.ts'
import { renderMarkdown } from './markdown.ts'
import { reportSchema } from './report.ts'
import { renderTerminal } from './terminal.ts'
import { verdictLine, verdictLineWithChanges } from './verdict-line.ts'
import { group, printable, unjudged, violated } from './words.ts'

const EXAMPLES = { green: GREEN, mixed: MIXED, followed: HISTORY, dark: DARK, drill: DRILLED, worst: WORST }
/** Its style is no text, and looked at in a browser. */
const page = (of: typeof GREEN) => renderHtml(of).replace(STYLE, '')
const terminal = (of: typeof GREEN) => renderTerminal(of, { color: false })

// A golden file is read by a person whenever it changes: that is its use. `npx vitest run audits/reports -u` writes them.
describe.for([
  ['terminal.txt', terminal],
  ['junit.xml', renderJunit],
  ['markdown.md', renderMarkdown],
  ['html.txt', page],
  ['annotations.txt', renderAnnotations],
  ['report.txt', renderJson],
] as const)('%s', ([name, render]) => {
  test.for(['green', 'mixed', 'followed', 'dark', 'drill'] as const)(
    'of a %s night is as it was',
    async (night) => {
      await expect(render(EXAMPLES[night])).toMatchFileSnapshot(`golden/${night}.${name}`)
    },
  )

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
    for (const example of [GREEN, MIXED, HISTORY, DARK, DRILLED]) {
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

  const changed = (rules: Parameters<typeof target>[0], more: Parameters<typeof report>[1] = {}) =>
    verdictLineWithChanges(
      report([target(rules), target(rules, { name: 'replica-2' })], {
        verdict: 'violations',
        exit: 1,
        history: 'kept',
        ...more,
      }),
    ).replace(/^.*?; /, '')

  // "1 open" alone would send the reader back to bed; and what two replicas show is one rule.
  test('says which rules are new, and which of the open ones have something new', () => {
    const open = failed(2, {
      id: 'open',
      change: 'open',
      sample: [violation({ change: 'open' }), violation({ subject_id: 'x', change: 'open' })],
    })
    const grown = {
      ...open,
      id: 'grown',
      sample: [violation({ change: 'open' }), violation({ subject_id: 'x', change: 'new' })],
    }
    expect(
      changed([failed(1, { id: 'new', change: 'new' }), open, grown, rule({ change: 'resolved' })]),
    ).toBe('since the last run: 1 new, 1 open with new violations, 1 open, 1 resolved (exit 1)')
  })

  // Nobody knows what became of it.
  test('calls nothing resolved, and nothing merely open, that was not judged', () => {
    expect(changed([dark('stale', { change: 'open' })], { verdict: 'could_not_judge', exit: 2 })).toBe(
      'since the last run: 1 open and not judged now (exit 2)',
    )
  })

  test('calls nothing new where no history is kept', () => {
    expect(changed([failed(1)], { history: 'none' })).toBe(
      'VIOLATIONS: 1 rule, 1 user, 5,000,000 tokens (exit 1)',
    )
  })

  // Green, and not clean.
  test('counts what is waived', () => {
    const waived = failed(2, { status: 'waived', waived: 2, change: 'open' })
    expect(verdictLineWithChanges(report([target([waived])], { history: 'kept' }))).toBe(
      'ALL IS WELL: 1 rule on 1 target, no violations; 2 violations waived (1 rule) (exit 0)',
    )
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
    expect(terminal(MIXED).split('\n').at(-1)).toBe(verdictLineWithChanges(MIXED))
    expect(renderTerminal(MIXED, { color: true })).toContain('\u001b[')
  })

  test('shows five subjects, how many more there are, and the line that shows one', () => {
    const text = terminal(report([target([failed(1_234)])]))
    expect(text.match(/^ {4}- grant_key /gm)).toHaveLength(5)
    expect(text).toContain('    - and 1,229 more\n    psql "postgres://audit@db/app"')
  })

  // By impact alone, the one that nobody has seen would be among the "and 2 more".
  test('shows what is new first, and what is waived last', () => {
    const shown = terminal(HISTORY)
      .match(/- grant_key \S+/g)
      ?.slice(0, 5)
    expect(shown).toEqual([7, 2, 3, 4, 5].map((number) => `- grant_key invoice:in_${number}:`))
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
