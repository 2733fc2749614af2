import { describe, expect, test } from 'vitest'
import { renderAnnotations } from './annotations.ts'
import { failed, GREEN, MIXED, report, target, WORST } from './examples.ts'
import { progressLine, progressWriter } from './progress.ts'

const lines = (of: typeof GREEN) => renderAnnotations(of).trimEnd().split('\n')

describe('annotations', () => {
  test('of a quiet night are none', () => {
    expect(renderAnnotations(GREEN)).toBe('')
  })

  // What could not be judged first: it hides what it did not look at.
  test('point at the file of the rule, and say what to do', () => {
    const all = lines(MIXED)
    expect(all[0]).toMatch(
      /^::error file=audits\/invariants\/slow\.sql,line=1,title=Could not judge prod%3A slow%2C slow-too::/,
    )
    expect(
      all.some((line) => line.startsWith('::error title=Could not judge eu%3A the whole target::')),
    ).toBe(true)
    expect(
      all.some((line) => line.includes('title=critical on prod%3A A large one::large: 7 violations')),
    ).toBe(true)
  })

  test('below --fail-on are warnings', () => {
    const minor = report([target([failed(1, { severity: 'minor' })])])
    expect(lines(minor)).toEqual([
      '::warning file=audits/invariants/a-rule.sql,line=1,title=minor on prod%3A A rule holds::a-rule: 1 violation, 5,000,000 tokens, 1 user, history unknown. Send the event again.',
    ])
  })

  // The verdict is green, and somebody has to look at the waivers.
  test('tell of a waiver that lapsed while another one covers the rows', () => {
    const waived = failed(1, {
      status: 'waived',
      waived: 1,
      change: null,
      lapsed: ['LED-1 ended on 2026-11-01'],
    })
    expect(lines(report([target([waived])]))).toEqual([
      '::warning file=audits/invariants/a-rule.sql,line=1,title=waived on prod%3A A rule holds::a-rule: 1 violation, 5,000,000 tokens, 1 user. Waiver lapsed: LED-1 ended on 2026-11-01.',
    ])
  })

  // GitHub shows ten and drops the eleventh in silence.
  test('are as many as GitHub shows, and the last says how many there are', () => {
    const all = lines(WORST)
    expect(all).toHaveLength(10)
    expect(all[9]).toBe('::warning title=Token audit::and 111 more, in the report')
  })

  // A title that ends its own line could begin another command.
  test('end nowhere but at their end', () => {
    const hostile = failed(1, { title: '100%\r\n::add-mask::x', fix: 'a\nb%0A' })
    expect(lines(report([target([hostile])]))).toEqual([
      '::error file=audits/invariants/a-rule.sql,line=1,title=critical on prod%3A 100%25\ufffd\ufffd%3A%3Aadd-mask%3A%3Ax::a-rule: 1 violation, 5,000,000 tokens, 1 user, history unknown. a\ufffdb%250A',
    ])
  })
})

describe('progress', () => {
  const state = {
    target: 'prod',
    rule: 'balance-is-ledger-sum',
    done: 4,
    of: 42,
    elapsedMs: 61_000,
    budgetMs: 600_000,
  }

  test('is one line, no longer than the terminal is wide', () => {
    expect(progressLine(state, 200)).toBe('5 of 42 on prod: balance-is-ledger-sum  61 s, budget left 539 s')
    for (const width of [1, 2, 20, 40]) expect(progressLine(state, width).length).toBeLessThanOrEqual(width)
  })

  test('is rewritten in place, and gone in the end', () => {
    let written = ''
    const write = (text: string) => {
      written += text
      return true
    }
    const stream = { isTTY: true, columns: 80, write }
    const progress = progressWriter(stream)
    progress.show(state)
    progress.clear()
    expect(written.endsWith('\r\u001b[2K')).toBe(true)
    expect(written).not.toContain('\n')
  })

  // A log of a workflow would hold a line for each rule, with escapes.
  test('is not for logs', () => {
    const stream = { isTTY: false, columns: 80, write: () => expect.fail('written to a log') }
    progressWriter(stream).show(state)
  })
})
