import type { KnownBlock } from '@slack/types'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { dark, failed, MIXED, report, rule, target, violation, WORST } from './examples.ts'
import type { Report, RuleReport } from './report.ts'
import { failureMessage, plainMessage, runUrlOf, slackMessage } from './slack.ts'
import {
  BEA,
  by,
  fresh,
  NIGHTS,
  NINETY_LOST,
  ONE_USER,
  open,
  resolved,
  WORST_WITH_HISTORY,
} from './slack-examples.ts'

const RUN = 'https://ci.example.com/run/1?a=1&b=2'
const ANN = '00000000-0000-4000-8000-00000000000a'

const night = (rules: readonly RuleReport[], change: Partial<Report> = {}) =>
  report([target(rules)], { verdict: 'violations', exit: 1, history: 'kept', ...change })

/** What a run before this one found of a rule. */
const trend = (status: RuleReport['status'], violations: number | null) => ({
  started_at: '2026-11-01T03:17:00.000Z',
  status,
  violations,
})

/** What is read of a block. */
function shown(block: KnownBlock): string {
  if (block.type === 'header') return block.text.text
  if (block.type === 'section' && block.text) return block.text.text
  throw new Error(`a ${block.type} block`)
}

/** Everything between head and link, one text a story. */
function stories(of: Report): string[] {
  const told = (slackMessage(of)?.blocks ?? []).slice(2).map(shown)
  return told.filter((text) => /^:[a-z_]+: \*/.test(text))
}

const all = (of: Report) => (slackMessage(of, RUN)?.blocks ?? []).map(shown).join('\n')

// A golden file is read by a person whenever it changes: that is its use. `npx vitest run audits/reports -u` writes them.
describe('the message', () => {
  test.for(Object.entries(NIGHTS))('of the night %s is as it was', async ([name, of]) => {
    const message = slackMessage(of, RUN)
    const text =
      message === undefined
        ? 'nothing is posted\n'
        : [
            `NOTIFICATION\n${message.text}`,
            ...message.blocks.map((block) => `${block.type.toUpperCase()}\n${shown(block)}`),
            `WITHOUT BLOCKS\n${plainMessage(of, RUN)}\n`,
          ].join('\n\n')
    await expect(text).toMatchFileSnapshot(`golden/${name}.slack.txt`)
  })
})

/**
 * Limits as documented: https://docs.slack.dev/reference/block-kit/blocks (50 blocks a message),
 * …/blocks/header-block (150 characters), …/blocks/section-block (1 to 3,000),
 * https://docs.slack.dev/messaging/formatting-message-text (& < > escaped, < > for links and mentions alone),
 * https://docs.slack.dev/reference/methods/chat.postMessage (a text of at most 4,000).
 */
const plainText = z
  .string()
  .min(1)
  .refine((text) => text.isWellFormed(), 'half a character')
  .refine((text) => !/[\u202a-\u202e\u2066-\u2069]/.test(text), 'turns the direction of writing')
const mrkdwn = plainText
  .refine((text) => !/&(?!(amp|lt|gt);)/.test(text), 'an entity that is cut, or an & that is not escaped')
  .refine(
    (text) => !/[<>]/.test(text.replaceAll(/<https:\/\/[^<>|]+\|[^<>|]+>/g, '')),
    'a mention, or half a link',
  )
  .refine((text) => text.split('`').length % 2 === 1, 'code that does not end')
const block = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('header'),
    text: z.strictObject({ type: z.literal('plain_text'), text: plainText.max(150) }),
  }),
  z.strictObject({
    type: z.literal('section'),
    text: z.strictObject({ type: z.literal('mrkdwn'), text: mrkdwn.max(3_000) }),
  }),
])
const limits = z.strictObject({ text: mrkdwn.max(4_000), blocks: z.array(block).min(1).max(50) })

/** Slack refused messages from 13,172 on, of which a divider was 125: https://github.com/slackapi/bolt-js/issues/2509. */
const weight = (blocks: readonly KnownBlock[]) =>
  JSON.stringify(blocks).replaceAll(/[^ -~]/g, '\\u0000').length + 125 * blocks.length

// Slack refuses the whole message for one character too many: on the worst day, nobody would be told.
describe('within the limits', () => {
  const minors = night(Array.from({ length: 300 }, (_, n) => resolved(1, { id: `r${n}`, title: 'T' })))
  const nights = { ...NIGHTS, MIXED, WORST, WORST_WITH_HISTORY, NINETY_LOST, minors }

  test.for(Object.entries(nights))('is the message of %s', ([, of]) => {
    const message = slackMessage(of, RUN)
    if (message === undefined) return
    expect(limits.safeParse(message).error).toBeUndefined()
    expect(weight(message.blocks)).toBeLessThan(13_172)
  })

  test.for(Object.entries(nights))('is the message of %s without blocks', ([, of]) => {
    expect(mrkdwn.max(4_000).safeParse(plainMessage(of, RUN)).error).toBeUndefined()
  })

  // What is left out is as much a part of the alarm as what is in it.
  test.for([
    ['WORST', WORST, 120],
    ['WORST_WITH_HISTORY', WORST_WITH_HISTORY, 240],
    ['NINETY_LOST', NINETY_LOST, 90],
    ['minors', minors, 300],
  ] as const)('what does not fit of %s is counted', ([, of, count]) => {
    const left = Number(/\nand ([\d,]+) more, in the report$/.exec(all(of))?.[1])
    expect(stories(of).length).toBeGreaterThan(3)
    expect((slackMessage(of, RUN)?.blocks.length ?? 0) - 3 + left).toBe(count)
    const plain = plainMessage(of, RUN)
    const leftOfPlain = Number(/\nand ([\d,]+) more, in the report$/.exec(plain)?.[1])
    expect((plain.match(/^:[a-z_]+: \*/gm) ?? []).length + leftOfPlain).toBe(count)
  })

  // The order says what matters most: nothing is told in front of what is left out.
  test('what does not fit is the end of the list, however short it is', () => {
    const of = night(
      Array.from({ length: 60 }, (_, n) =>
        fresh(1, { id: `r-${n}`, title: 'long '.repeat((n * 19) % 37), sample: by(null, 'x') }),
      ),
      { history: 'none' },
    )
    const told =
      all(of)
        .match(/(?<= · r-)\d+(?=\n|$)/gm)
        ?.map(Number) ?? []
    expect(told.length).toBeGreaterThan(10)
    expect(told).toEqual([...told.keys()])
  })

  test.for([0, 1, 2, 3, 4])('no cut goes through a character or an entity: %s before it', (before) => {
    for (const unit of ['\u{1f600}', '&', '<', '\u{1f600}&']) {
      const subject_id = 'x'.repeat(before) + unit.repeat(400)
      const of = night([fresh(1, { fix: subject_id, sample: [violation({ subject_id, change: 'new' })] })])
      expect(limits.safeParse(slackMessage(of)).error).toBeUndefined()
    }
  })

  test('a long story keeps its head and says that it goes on', () => {
    const long = fresh(1, { lapsed: Array.from({ length: 40 }, (_, n) => `${n} ${'w'.repeat(200)}`) })
    const [text = ''] = stories(night([long]))
    expect(text).toContain('A rule holds')
    expect(text.endsWith('\n… the rest is in the report')).toBe(true)
  })
})

describe('nothing is posted', () => {
  // "All passed" every morning is read for a week; the same violation every morning, for two.
  test.for([
    ['all is well', night([rule(), rule()], { verdict: 'ok', exit: 0 })],
    ['all is well, and there is no history', night([rule()], { verdict: 'ok', exit: 0, history: 'none' })],
    [
      'all is well, and the last message was lost',
      night([rule()], { verdict: 'ok', exit: 0, history: 'untold' }),
    ],
    ['nothing has changed', night([open(3), open(1)])],
    ['a mass is as large as it was', night([open(10_000, { trend: [trend('fail', 10_000)] })])],
    ['a mass is smaller than it was', night([open(10_000, { trend: [trend('fail', 20_000)] })])],
    [
      'what is waived is as it was',
      night([rule({ status: 'waived', violations: 1, waived: 1, change: 'open' })]),
    ],
    [
      'what is waived has no history',
      night([rule({ status: 'waived', violations: 1, waived: 1, change: 'unknown' })], { history: 'none' }),
    ],
    ['something was gone at the second look', night([rule({ status: 'transient', transient: 2 })])],
  ] as const)('when %s', ([, of]) => {
    expect(slackMessage(of, RUN)).toBeUndefined()
  })
})

describe('something is posted', () => {
  const mixture = (change: 'new' | 'reopened') =>
    open(3, { sample: [violation({ change: 'open' }), violation({ change }), violation({ change: 'open' })] })

  test.for([
    ['a new violation', fresh(1), /^:red_circle: \*New · critical\*/],
    ['a reopened one', failed(1, { change: 'reopened' }), /^:red_circle: \*Reopened · critical\*/],
    [
      'a new one among open ones',
      mixture('new'),
      /^:red_circle: \*Open since 2026-10-30 \(3 days\).*[\s\S]* 2 open, 1 new /,
    ],
    ['a reopened one among open ones', mixture('reopened'), /^:red_circle: [\s\S]* 2 open, 1 reopened /],
    ['a rule without history', failed(1), /^:red_circle: \*History unknown · critical\*/],
    ['what is open and due again', open(1, { remind: true }), /^:large_orange_circle: \*Open since/],
    ['a lapsed waiver', open(1, { lapsed: ['L-1 expired'] }), /\nWaiver lapsed: L-1 expired\n/],
    [
      'a waiver that lapsed beside another',
      rule({ status: 'waived', violations: 1, waived: 1, change: 'open', lapsed: ['L-1 expired'] }),
      /^:white_circle: .*[\s\S]*\nWaiver lapsed: L-1 expired\n/,
    ],
    [
      'what is new, and waived',
      rule({ status: 'waived', violations: 1, waived: 1, change: 'new' }),
      /^:white_circle: \*New, waived · critical\*/,
    ],
    [
      'what is reopened, and waived',
      rule({ status: 'waived', violations: 1, waived: 1, change: 'reopened' }),
      /^:white_circle: \*Reopened, waived · critical\*/,
    ],
    [
      'a new violation that an old waiver covers',
      open(1, { status: 'waived', waived: 1, sample: [violation({ change: 'new', waived: true })] }),
      /^:white_circle: \*Open since/,
    ],
    [
      'what is resolved',
      resolved(2),
      /^:white_check_mark: \*Resolved\* .*\n2 violations gone · open since 2026-10-30/,
    ],
    [
      'what is resolved in part',
      open(3, { since: '2026-10-01T03:17:00.000Z', resolved: resolved(1).resolved }),
      /^:white_check_mark: \*Resolved\* .*\n1 violation gone · 3 still there · open since 2026-10-30 /,
    ],
    [
      'a mass that is resolved: most of it has no name',
      resolved(200, { trend: [trend('fail', 10_000), trend('error', null)] }),
      /\n10,000 violations gone · [\s\S]*\nand 9,995 more$/,
    ],
    [
      'what is resolved, and nobody knows how much it was',
      rule({ change: 'resolved' }),
      /\nall violations are gone · a-rule/,
    ],
    [
      'a mass that has grown',
      open(10_000, { trend: [trend('fail', 9_000), trend('error', null)] }),
      /^:red_circle: \*Open since .*\n10,000 violations, .* · 1,000 more than in the last run · too many to follow/,
    ],
    [
      'a waiver that was taken out',
      open(1, { trend: [trend('waived', 1), trend('error', null)] }),
      /^:large_orange_circle: \*Open since 2026-10-30 \(3 days\), no longer waived · critical\*/,
    ],
    [
      'a finding below what gates',
      fresh(1, { severity: 'minor' }),
      /^:large_yellow_circle: \*New · minor, below --fail-on major\*/,
    ],
    [
      'what could not be judged',
      dark('error'),
      /^:warning: \*Could not judge\* · prod: 1 rule\nerror: canceling/,
    ],
  ] as const)('of %s', ([, of, told]) => {
    expect(stories(night([rule({ id: 'fine' }), of]))).toEqual([expect.stringMatching(told)])
  })

  test('of a new violation among few: which one it is says more than how many more', () => {
    expect(all(night([{ ...mixture('new'), trend: [trend('fail', 2)] }]))).not.toContain(
      'than in the last run',
    )
  })

  // What nobody was told is not known, however long it is open.
  test('of what is open, when the last message did not arrive', () => {
    const of = night([open(2)], { history: 'untold' })
    expect(stories(of)).toHaveLength(1)
    expect(all(of)).toContain('did not reach anybody')
  })

  // A lost history must not make ninety old violations look like tonight's.
  test('without history, and then nothing is called new', () => {
    const mixed = open(2, { id: 'b', sample: [...by(null, 'x'), violation({ change: 'open' })] })
    const of = night([fresh(1), mixed], { history: 'none' })
    expect(stories(of)).toHaveLength(2)
    expect(stories(of).join()).not.toMatch(/new|open/i)
    expect(all(of)).toContain('nobody can say what is new')
  })
})

describe('the order', () => {
  test('is could not judge, new by severity and tokens, open, waived, resolved', () => {
    const of = night(
      [
        resolved(1, { title: '9 resolved' }),
        rule({ title: '8 waived', status: 'waived', violations: 1, change: 'new' }),
        open(9, { title: '7 open, major', severity: 'major', remind: true, id: 'g' }),
        open(1, { title: '6 open, critical', remind: true, id: 'f' }),
        fresh(1, { title: '5 new, minor', severity: 'minor', users: 9, id: 'e' }),
        fresh(1, { title: '4 new, major', severity: 'major', users: 9, id: 'd' }),
        failed(1, {
          title: '3 reopened, one token less',
          change: 'reopened',
          impact: '9007199254740992',
          id: 'c',
        }),
        fresh(1, { title: '2 new', impact: '9007199254740993', users: 9, id: 'b' }),
        dark('error', { id: '1 dark' }),
      ].map((each) => ({ ...each, sample: each.sample.map((row) => ({ ...row, user_id: null })) })),
    )
    expect(
      stories(of).map((text) => /\d (?=new|open|reopened|waived|resolved|dark)/.exec(text)?.[0]),
    ).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9'].map((digit) => `${digit} `))
  })

  test('of the ids of a rule is: changed first, waived last', () => {
    const ids = ['waived', 'open', 'new'].map((subject_id) =>
      violation({
        subject_id,
        user_id: null,
        waived: subject_id === 'waived',
        change: subject_id === 'new' ? 'new' : 'open',
      }),
    )
    const [text = ''] = stories(night([open(3, { sample: ids })]))
    expect(text.match(/(?<=• grant_key `)\w+/g)).toEqual(['new', 'open', 'waived'])
  })

  // Twelve stories that everybody knows bury the one of tonight.
  test('ends with what is open and unchanged, as a number', () => {
    const old = Array.from({ length: 12 }, (_, n) => open(1, { id: `old-${n}` }))
    expect(stories(night([fresh(1), ...old]))).toHaveLength(1)
    expect(all(night([fresh(1), ...old]))).toContain('\n12 more open since 2026-10-30, unchanged\n')
    expect(all(night([resolved(1), ...old]))).toContain('\n12 open since 2026-10-30, unchanged\n')
    expect(all(night([fresh(1), ...old, open(1, { id: 'x', since: null })]))).toContain(
      '\n13 more open, unchanged\n',
    )
  })
})

describe('one user who breaks several rules', () => {
  test('is one story', () => {
    expect(stories(ONE_USER)).toHaveLength(1)
    expect(stories(ONE_USER)[0]).toContain(
      `*one user breaks 3 rules*: \`${BEA}\`\nTogether: 3 rules, 1 user,`,
    )
  })

  test('is one story a target: two databases may have the same ids', () => {
    const twice = {
      ...ONE_USER,
      targets: [
        target([], { name: 'x' }),
        ...ONE_USER.targets,
        target(ONE_USER.targets[0]?.invariants ?? [], { name: 'us' }),
      ],
    }
    expect(stories(twice)).toHaveLength(2)
  })

  test('shares the story with those who break the very same rules', () => {
    const both = [...by(ANN, 'invoice:in_1'), ...by(BEA, 'invoice:in_2')]
    const of = night([fresh(2, { id: 'a', sample: both }), fresh(2, { id: 'b', sample: both })])
    expect(stories(of)).toHaveLength(1)
    expect(stories(of)[0]).toContain(`*2 users break the same 2 rules*: \`${ANN}\` \`${BEA}\``)
  })

  // A rule that is told within the story of one of its users alone would lose the others.
  test('leaves a rule that others break too as a story of its own', () => {
    const others = [...by(BEA, 'invoice:in_1'), ...by(ANN, 'invoice:in_2')]
    const of = night([
      fresh(1, { id: 'a', sample: by(BEA, 'x') }),
      fresh(2, { id: 'b', title: 'Others too', sample: others }),
    ])
    expect(stories(of).map((text) => text.split('\n')[0])).toEqual([
      expect.stringContaining('one user breaks 2 rules'),
      expect.stringContaining('Others too'),
    ])
    // Of the other user's violation, nothing is added to this one's.
    expect(stories(of)[0]).toContain('*Others too* (new, critical): 1 violation, 5,000,000 tokens, 1 user')
  })

  test('is not a story of many users', () => {
    const six = ['a', 'b', 'c', 'd', 'e', 'f'].flatMap((user) => by(user, `invoice:${user}`))
    const of = night([fresh(6, { id: 'a', sample: six }), fresh(6, { id: 'b', sample: six })])
    expect(stories(of).map((text) => text.split('\n')[0])).toEqual(
      Array(2).fill(expect.stringContaining('*A rule holds*')),
    )
  })

  test.for([
    [
      'many users',
      { sample: ['a', 'b', 'c', 'd', 'e', BEA].flatMap((user) => by(user, `i-${user}`)), violations: 6 },
    ],
    ['more violations than its sample', { sample: by(BEA, 'x'), violations: 10_000, mass: true }],
    ['a violation that has no user', { sample: [...by(BEA, 'x'), ...by(null, 'y')], violations: 2 }],
  ] as const)('does not swallow a rule with %s', ([, change]) => {
    const of = night([
      fresh(1, { id: 'large', title: 'Large', ...change, sample: [...change.sample] }),
      fresh(1, { id: 'small', sample: by(BEA, 'z') }),
    ])
    expect(stories(of)).toHaveLength(2)
    expect(stories(of).join('\n')).toContain('*Large*\n')
  })
})

describe('the line for psql', () => {
  const line = (psql: string) => stories(night([fresh(1, { psql })]))[0] ?? ''

  test('is shown as it is, escaped for Slack alone', () => {
    expect(line(`psql 'u' -c "select 1 < 2 & '\`'"`)).toContain(
      `\`\`\`psql 'u' -c "select 1 &lt; 2 &amp; '\`'"\`\`\``,
    )
  })

  // Half a command is another command.
  test.for([
    ['too long', `psql ${'x'.repeat(3_000)}`],
    ['the end of the block is in it', 'psql "```"'],
    ['its end would be the end of the block', 'psql `x`'],
    ['it holds what can not be shown', 'psql "\u202e"'],
  ] as const)('is left out when %s', ([, psql]) => {
    expect(line(psql)).toContain('A rule holds')
    expect(line(psql)).not.toContain('psql')
  })
})

describe('a reader', () => {
  // `<!channel>` in an id would wake everybody up.
  test('sees an id whole, backticks as apostrophes', () => {
    expect(all(night([fresh(1, { sample: by(null, 'a`b') })]))).toContain("\n• grant_key `a'b`\n")
  })

  // What was not looked at is not mended.
  test('is not told that a rule is mended that could not be judged', () => {
    expect(stories(night([dark('error', { resolved: resolved(1).resolved, change: 'resolved' })]))).toEqual([
      expect.stringMatching(/^:warning:/),
    ])
  })

  test('is woken by no id: there is no mention and no link in what a database holds', () => {
    const strange = violation({
      subject_type: '<!here>',
      subject_id: '<!channel> <https://evil|x>',
      change: 'new',
    })
    const of = night([
      fresh(1, { title: '<!everyone>', fix: '<@U1>', lapsed: ['<!subteam^S1>'], sample: [strange] }),
      resolved(1, { resolved: [{ ...strange, since: null }] }),
      dark('error', { problem: '<!channel>' }),
    ])
    expect(`${JSON.stringify(slackMessage(of))}${plainMessage(of)}`).not.toMatch(/<[!@#h]/)
    expect(all(of)).toContain('&lt;!channel&gt;')
  })

  // Details are written by rules over rows; ids are opaque.
  test('is told ids, not details', () => {
    for (const of of Object.values({ ...NIGHTS, MIXED, WORST_WITH_HISTORY })) {
      expect(`${JSON.stringify(slackMessage(of))}${plainMessage(of)}`).not.toMatch(
        /paid, and not granted|\u05d0{2}/,
      )
    }
  })

  test('sees at once that a drill is a drill, in every part', () => {
    for (const name of ['drill', 'drill-resolved']) {
      const of = NIGHTS[name] as Report
      const message = slackMessage(of)
      expect([message?.text, shown(message?.blocks[0] as KnownBlock), plainMessage(of)]).toEqual(
        Array(3).fill(expect.stringMatching(/^FIRE DRILL/)),
      )
      expect(all(of)).toContain('is made up')
    }
    expect(slackMessage(night([rule()], { drill: true }))).toBeDefined()
  })

  test('finds the whole report behind the link', () => {
    expect(all(night([fresh(1)]))).toContain(
      '<https://ci.example.com/run/1?a=1&amp;b=2|The run and its report>',
    )
    expect(slackMessage(night([fresh(1)]))?.blocks).toHaveLength(3)
    expect(
      runUrlOf({ GITHUB_SERVER_URL: 'https://g.example', GITHUB_REPOSITORY: 'o/r', GITHUB_RUN_ID: '7' }),
    ).toBe('https://g.example/o/r/actions/runs/7')
    expect(runUrlOf({ GITHUB_REPOSITORY: 'o/r' })).toBeUndefined()
  })
})

// Whoever waits for a verdict must hear that there is none.
describe('a run without a verdict', () => {
  test('says what is wrong, all of it that fits, and where to look', () => {
    const { message, plain } = failureMessage('audit', ['no target is given', 'waivers.yml:3: <!here>'], RUN)
    expect(limits.safeParse(message).error).toBeUndefined()
    for (const text of [message.blocks.map(shown).join('\n'), plain]) {
      expect(text).toMatch(/^Token audit: NO VERDICT\n.*judged nothing/)
      expect(text).toContain('no target is given\n\nwaivers.yml:3: &lt;!here&gt;\n\n<https://ci.example.com')
    }
  })

  test('is within the limits, however much is wrong', () => {
    const { message, plain } = failureMessage('audit', Array(500).fill('&\u{1f600}'.repeat(1_000)))
    expect(limits.safeParse(message).error).toBeUndefined()
    expect(mrkdwn.max(4_000).safeParse(plain).error).toBeUndefined()
    expect(plain).toMatch(/\nand 49\d more, in the log$/)
  })
})
