import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { GREEN, HISTORY, MIXED, WORST } from '../../audits/reports/examples.ts'
import { renderHtml } from '../../audits/reports/html.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Where Chromium may be: CHROMIUM names one, the others are where systems put it. */
const PLACES = [
  process.env.CHROMIUM,
  '/usr/bin/google-chrome',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]
const executablePath = PLACES.find((place) => place !== undefined && place !== '' && existsSync(place))

let browser: Browser | undefined

beforeAll(async () => {
  if (executablePath === undefined) {
    console.log('The pages are not looked at: there is no Chromium on this machine. CHROMIUM names one.')
    return
  }
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
})
afterAll(() => browser?.close())

const NIGHTS = { quiet: GREEN, mixed: MIXED, followed: HISTORY, worst: WORST }

describe.for(Object.entries(NIGHTS))('the page of a night that is %s', ([, report]) => {
  test.for([
    [360, 'light'],
    [360, 'dark'],
    [1_280, 'light'],
    [1_280, 'dark'],
  ] as const)('is readable at %i px in %s', async ([width, colorScheme], { skip }) => {
    if (browser === undefined) return skip('no Chromium on this machine: set CHROMIUM to one')
    const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme })
    try {
      const said: string[] = []
      page.on('console', (message) => said.push(message.text()))
      page.on('pageerror', (error) => said.push(error.message))
      await page.setContent(renderHtml(report))
      expect(said).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width)
      // The worst day has the same elements as the others, ten thousand times.
      if (report !== WORST) expect(await seriousFindings(page)).toEqual([])
    } finally {
      await page.close()
    }
  })
})

/** What axe finds that keeps somebody from reading the page. */
async function seriousFindings(page: Page): Promise<unknown> {
  // Not a script of the page, whose policy lets none in.
  await page.evaluate(AXE)
  return page.evaluate(`axe.run().then(({ violations }) => violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => id + ': ' + nodes.slice(0, 3).map(({ html }) => html.slice(0, 200)).join(' ')))`)
}
