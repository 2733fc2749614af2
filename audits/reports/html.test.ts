import { describe, expect, test } from 'vitest'
import { failed, GREEN, HISTORY, MIXED, report, target, violation, WORST } from './examples.ts'
import { renderHtml } from './html.ts'
import { sparkline } from './sparkline.ts'

/** Elements that HTML closes by itself. */
const VOID = ['meta', '!doctype']

/** Tags that do not match, in their order. A browser mends them by guessing, each its own way. */
function unbalanced(html: string): string[] {
  const open: string[] = []
  const wrong: string[] = []
  for (const [whole, end, name = ''] of html.matchAll(/<(\/?)([!a-z][a-z0-9]*)\b[^>]*>/g)) {
    if (VOID.includes(name) || whole.endsWith('/>')) continue
    if (end === '') open.push(name)
    else if (open.pop() !== name) wrong.push(name)
  }
  return [...wrong, ...open]
}

describe('the page', () => {
  test.for(Object.entries({ GREEN, MIXED, HISTORY, WORST }))('of %s is well formed', ([, of]) => {
    expect(unbalanced(renderHtml(of))).toEqual([])
  })

  test('that is not well formed would be seen', () => {
    expect(unbalanced('<p><b></p>')).toEqual(['p', 'p'])
  })

  // An id is what somebody once sent to Stripe.
  test('holds what a database holds as text, never as markup', () => {
    const hostile = '</script><img src=x onerror=alert(1)>"\'&\u202e\u0000'
    const rule = failed(1, {
      title: hostile,
      why: hostile,
      fix: hostile,
      psql: hostile,
      sample: [violation({ subject_type: hostile, subject_id: hostile, detail: hostile })],
    })
    const html = renderHtml(report([target([rule], { name: hostile, problem: null, warnings: [hostile] })]))
    expect(html).not.toContain('<img')
    expect(html).not.toContain('</script>')
    expect(html).not.toContain('\u0000')
    expect(html).not.toContain('\u202e')
    expect(unbalanced(html)).toEqual([])
  })

  test('needs nothing else, and runs nothing', () => {
    for (const of of [GREEN, MIXED, HISTORY]) {
      const html = renderHtml(of)
      expect(html).not.toMatch(/<(script|link|img|iframe)|\bon[a-z]+=|url\(|@import/)
      expect(html).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`)
    }
  })

  test('says first what could not be judged, then the violations, and explains its words', () => {
    const html = renderHtml(MIXED)
    const places = ['Could not judge</h2>', 'Violations</h2>', 'Targets</h2>', 'How to read this</h2>'].map(
      (part) => html.indexOf(part),
    )
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    expect(places).not.toContain(-1)
  })
})

describe('the sparkline', () => {
  test('has a bar a run, the latest on the right, and says it in words', () => {
    const svg = sparkline([
      { status: 'pass', violations: 0 },
      { status: 'error', violations: null },
      { status: 'fail', violations: 100 },
      { status: 'fail', violations: 1 },
    ])
    expect(
      [...svg.matchAll(/class="(none|hollow|found)" x="([\d.]+)"/g)].map(([, kind, x]) => [kind, x]),
    ).toEqual([
      ['none', '130'],
      ['hollow', '135.5'],
      ['found', '140'],
      ['found', '145'],
    ])
    expect(svg).toContain('aria-label="4 runs: 2 with violations, 1 not judged"')
    // One among a hundred is still seen.
    expect(svg).toContain('x="145" y="16" width="4" height="4"')
  })
})
