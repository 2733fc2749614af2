import { describe, onTestFinished, test } from 'vitest'
import { endBeat, startBeat } from '../../audits/heartbeat.ts'
import { MIXED, WORST } from '../../audits/reports/examples.ts'
import { deliver, parseWebhookUrl } from '../../audits/reports/post.ts'
import { failureMessage, plainMessage, type SlackMessage, slackMessage } from '../../audits/reports/slack.ts'
import { NIGHTS, NINETY_LOST, WORST_WITH_HISTORY } from '../../audits/reports/slack-examples.ts'
import { CHECK, type HeartbeatReceiver, serveHeartbeat } from '../../fixtures/webhook/heartbeat.ts'
import type { Answer } from '../../fixtures/webhook/server.ts'
import { SECRET, type SlackReceiver, serveSlack } from '../../fixtures/webhook/slack.ts'

const MESSAGE: SlackMessage = {
  text: 'short',
  blocks: [{ type: 'section', text: { type: 'mrkdwn', text: 'rich' } }],
}
const PLAIN = 'plain'

const ok: Answer = { status: 200, body: 'ok' }
const invalid: Answer = { status: 400, body: 'invalid_blocks' }
const broken: Answer = { status: 500, body: 'rollup_error' }
const limited = (after?: string): Answer => ({
  status: 429,
  body: 'rate_limited',
  headers: after === undefined ? {} : { 'retry-after': after },
})

async function slack(...answers: Answer[]): Promise<SlackReceiver> {
  const receiver = await serveSlack(answers)
  onTestFinished(() => receiver.close())
  return receiver
}

/** Delivers on a clock that only waiting moves. */
async function run(url: string, { message = MESSAGE, budgetMs = 600_000 } = {}) {
  const start = Date.parse('2026-11-02T03:20:00Z')
  let time = start
  const waited: number[] = []
  const delivered = await deliver(url, message, PLAIN, {
    budgetMs,
    requestMs: 500,
    now: () => time,
    wait: async (ms) => {
      waited.push(ms)
      time += ms
    },
  })
  return { ...delivered, waited }
}

describe('Slack takes', () => {
  const nights = { ...NIGHTS, MIXED, WORST, WORST_WITH_HISTORY, NINETY_LOST }

  // On the worst day the message is the longest: a refused one means that nobody is told.
  test.for(Object.entries(nights))(
    'the message of %s, and the one without blocks',
    async ([, night], { expect }) => {
      const message = slackMessage(night, 'https://ci.example.com/run/1')
      if (message === undefined) return
      const receiver = await slack()
      expect(await run(receiver.url, { message })).toEqual({ attempts: 1, plain: false, waited: [] })
      expect(receiver.posted).toEqual([message])
      const refusing = await slack(invalid)
      const plain = plainMessage(night, 'https://ci.example.com/run/1')
      expect(await deliver(refusing.url, message, plain, { budgetMs: 60_000 })).toEqual({
        attempts: 2,
        plain: true,
      })
    },
  )

  test('what a run without a verdict has to say', async ({ expect }) => {
    const receiver = await slack()
    const { message } = failureMessage('audit', Array(300).fill('no target is given '.repeat(30)))
    expect(await run(receiver.url, { message })).toMatchObject({ attempts: 1, plain: false })
  })

  // The receiver is no proof of anything if it takes all.
  test.for([
    ['51 blocks', Array(51).fill(MESSAGE.blocks[0])],
    ['a section of 3,001', [{ type: 'section', text: { type: 'mrkdwn', text: 'x'.repeat(3_001) } }]],
    ['an empty section', [{ type: 'section', text: { type: 'mrkdwn', text: '' } }]],
    ['a header of 151', [{ type: 'header', text: { type: 'plain_text', text: 'x'.repeat(151) } }]],
    ['a header in mrkdwn', [{ type: 'header', text: { type: 'mrkdwn', text: 'x' } }]],
    [
      'too much in all',
      Array(5).fill({ type: 'section', text: { type: 'mrkdwn', text: 'x'.repeat(3_000) } }),
    ],
  ] as const)('not %s, and then the plain text', async ([, blocks], { expect }) => {
    const receiver = await slack()
    const message = { text: 'short', blocks: blocks as SlackMessage['blocks'] }
    expect(await run(receiver.url, { message })).toEqual({ attempts: 2, plain: true, waited: [] })
    expect(receiver.posted[1]).toEqual({ text: PLAIN })
  })
})

describe('a message that is refused', () => {
  test('as invalid, with blocks and without, is tried twice in all', async ({ expect }) => {
    const receiver = await slack(invalid, { status: 400, body: 'invalid_payload' }, ok)
    expect(await run(receiver.url)).toEqual({
      problem: 'Slack refused the message: 400 invalid_payload',
      attempts: 2,
      plain: true,
      waited: [],
    })
    expect(receiver.posted).toHaveLength(2)
  })

  test('without a text says so', async ({ expect }) => {
    const receiver = await slack(invalid)
    expect(await deliver(receiver.url, MESSAGE, '', { budgetMs: 60_000 })).toMatchObject({
      problem: 'Slack refused the message: 400 no_text',
    })
  })

  // A channel that is gone does not come back in four seconds.
  test.for([
    [403, 'action_prohibited'],
    [404, 'no_service'],
    [410, 'channel_is_archived'],
  ] as const)('for good is not tried again: %s %s', async ([status, body], { expect }) => {
    const receiver = await slack({ status, body }, ok)
    expect(await run(receiver.url)).toEqual({
      problem: `Slack refused the message: ${status} ${body}`,
      attempts: 1,
      plain: false,
      waited: [],
    })
    expect(receiver.posted).toHaveLength(1)
  })

  test('for the rate waits as long as Slack says', async ({ expect }) => {
    const receiver = await slack(limited('30'), limited('Mon, 02 Nov 2026 03:20:40 GMT'), limited(), ok)
    expect(await run(receiver.url)).toEqual({ attempts: 4, plain: false, waited: [30_000, 10_000, 15_000] })
  })

  test('for the rate does not wait beyond the budget', async ({ expect }) => {
    const receiver = await slack(limited('60'), ok)
    expect(await run(receiver.url, { budgetMs: 60_000 })).toEqual({
      problem: 'Slack refused the message: 429 rate_limited; there is no time left to try again',
      attempts: 1,
      plain: false,
      waited: [],
    })
  })

  // Retry-After: 0, for ever.
  test('for the rate is not tried without end', async ({ expect }) => {
    const receiver = await slack(...Array<Answer>(50).fill(limited('0')))
    expect(await run(receiver.url)).toMatchObject({
      attempts: 4,
      problem: 'Slack refused the message: 429 rate_limited',
    })
  })
})

describe('what may pass', () => {
  test.for([
    ['an error of the server', broken],
    ['a connection that is cut', 'cut'],
    ['no answer', 'silent'],
    ['an answer that does not end', 'slow-body'],
  ] as const)('is tried again: %s', async ([, answer], { expect }) => {
    const receiver = await slack(answer, ok)
    expect(await run(receiver.url)).toEqual({ attempts: 2, plain: false, waited: [1_000] })
    expect(receiver.posted).toEqual([MESSAGE, MESSAGE])
  })

  test.for([
    ['errors of the server', broken, 'Slack refused the message: 500 rollup_error'],
    ['cut connections', 'cut', "Slack can't be reached: UND_ERR_SOCKET"],
    ['silence', 'silent', 'Slack did not answer within 0.5 s'],
  ] as const)('is not tried without end: %s', async ([, answer, problem], { expect }) => {
    const receiver = await slack(...Array<Answer>(9).fill(answer))
    expect(await run(receiver.url)).toEqual({
      problem,
      attempts: 4,
      plain: false,
      waited: [1_000, 4_000, 15_000],
    })
  })

  test('is not tried beyond the budget', async ({ expect }) => {
    const receiver = await slack(...Array<Answer>(9).fill(broken))
    expect(await run(receiver.url, { budgetMs: 4_000 })).toMatchObject({
      problem: 'Slack refused the message: 500 rollup_error; there is no time left to try again',
      waited: [1_000],
    })
  })

  // One request must not take what all have together.
  test('is given up when the time is over in the middle of a request', async ({ expect }) => {
    const receiver = await slack(...Array<Answer>(9).fill('silent' as const))
    expect(await deliver(receiver.url, MESSAGE, PLAIN, { budgetMs: 200 })).toMatchObject({
      problem: 'Slack did not answer within 0.2 s; there is no time left to try again',
      attempts: 1,
    })
  })

  test('does not bring the blocks back that were refused', async ({ expect }) => {
    const receiver = await slack(invalid, broken, ok)
    expect(await run(receiver.url)).toEqual({ attempts: 3, plain: true, waited: [1_000] })
    expect(receiver.posted).toEqual([MESSAGE, { text: PLAIN }, { text: PLAIN }])
  })
})

describe('nobody else', () => {
  // A message for one channel, with ids and amounts, is for nobody else.
  test.for([301, 302, 303, 307, 308])('is sent the message by a redirect: %s', async (status, { expect }) => {
    const elsewhere = await slack()
    const receiver = await slack({ status, headers: { location: elsewhere.url } })
    expect(await run(receiver.url)).toMatchObject({
      problem: `Slack can't be reached: ${status}, a redirect, is not followed`,
      attempts: 1,
    })
    expect(elsewhere.posted).toEqual([])
  })

  // A page to log in, or a gateway, says 200 to everything.
  test('is taken for Slack', async ({ expect }) => {
    const receiver = await slack({ status: 200, body: '<html>Welcome</html>' })
    expect(await run(receiver.url)).toMatchObject({
      problem: 'Slack did not take the message: 200, and not "ok"',
    })
  })
})

// Whoever knows the URL may post.
describe('the URL is in no text', () => {
  const hook = `https://hooks.slack.com/services/T0/B0/${SECRET}`
  const bodies = [hook, SECRET, `no such hook: ${hook}`, encodeURIComponent(hook), hook.toUpperCase()]

  test.for([200, 302, 400, 401, 403, 404, 410, 413, 429, 500])(
    'when an answer with %s repeats it',
    async (status, { expect }) => {
      for (const body of bodies) {
        const echo: Answer = { status, body, headers: { location: hook } }
        const receiver = await slack(...Array<Answer>(5).fill(echo))
        const { problem } = await run(receiver.url)
        expect(problem).toMatch(/^Slack /)
        expect(problem).not.toMatch(/geheim|services|hooks/i)
      }
    },
  )

  test.for([
    [`http://nowhere.invalid/services/${SECRET}`, /^Slack can't be reached: [A-Z_]+$/],
    [`http://127.0.0.1:1/services/${SECRET}`, /^Slack can't be reached: the connection was lost$/],
    [`https://127.0.0.1:2/services/${SECRET}`, /^Slack can't be reached: ECONNREFUSED$/],
  ] as const)('when nobody answers at %s', async ([url, told], { expect }) => {
    const { problem } = await run(url)
    expect(problem).toMatch(told)
    expect(problem).not.toContain(SECRET)
  })

  test.for([
    `hooks.slack.com/services/${SECRET}`,
    `ftp://hooks.slack.com/services/${SECRET}`,
    `https://ann:${SECRET}@hooks.slack.com/`,
  ])('when it is none: %s', (url, { expect }) => {
    expect(() => parseWebhookUrl(url)).toThrow('SLACK_WEBHOOK_URL is no URL')
    expect(() => parseWebhookUrl(url)).not.toThrow(SECRET)
  })
})

describe("the dead man's switch", () => {
  async function check(...answers: Answer[]): Promise<HeartbeatReceiver> {
    const receiver = await serveHeartbeat(answers)
    onTestFinished(() => receiver.close())
    return receiver
  }

  /** Pings without pauses, and tells those that there would have been. */
  async function ended(url: string, exit: number) {
    const waited: number[] = []
    const wait = async (ms: number) => void waited.push(ms)
    return { problem: await endBeat(url, exit, { wait, requestMs: 500 }), waited }
  }

  test.for([
    [0, 'success'],
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 4],
    [130, 130],
  ] as const)('hears the start, and exit %s as %s', async ([exit, signal], { expect }) => {
    const receiver = await check()
    expect(await startBeat(receiver.url)).toBeUndefined()
    expect(await endBeat(receiver.url, exit)).toBeUndefined()
    expect(receiver.pings.map((ping) => ping.signal)).toEqual(['start', signal])
    // Two runs that overlap are told apart.
    const [start, end] = receiver.pings
    expect(start?.rid).toMatch(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/)
    expect(end?.rid).toBe(start?.rid)
  })

  test.for(['/', '//', '?create=1', '/?create=1#top'])(
    'may have a URL that ends in %s',
    async (end, { expect }) => {
      const receiver = await check()
      expect(await startBeat(receiver.url + end)).toBeUndefined()
      expect(await endBeat(receiver.url + end, 0)).toBeUndefined()
      expect(await endBeat(receiver.url + end, 2)).toBeUndefined()
      expect(receiver.pings.map(({ signal }) => signal)).toEqual(['start', 'success', 2])
    },
  )

  test('is pinged again when it may help', async ({ expect }) => {
    const receiver = await check({ status: 503 }, 'cut')
    expect(await ended(receiver.url, 1)).toEqual({ problem: undefined, waited: [1_000, 3_000] })
    expect(receiver.pings).toMatchObject([{ signal: 1 }])
  })

  // A ping that is lost without a word: the check's alarm would be taken for a run that never was.
  test.for([
    ['the server is broken', { status: 500 }, 'it answered 500', 2],
    ['it does not answer', 'silent', 'no answer within 0.5 s', 2],
    ['the answer does not end', 'slow-body', 'no answer within 0.5 s', 2],
    ['the connection is cut', 'cut', 'UND_ERR_SOCKET', 2],
    [
      'the check is not there, and the answer 200',
      { status: 200, body: 'OK (not found)' },
      'there is no such check',
      0,
    ],
    [
      'the ping is ignored, and the answer 200',
      { status: 200, body: 'OK (rate limited)' },
      'too many pings within a minute, this one was ignored',
      0,
    ],
    ['somebody else answers', { status: 200, body: '<html>' }, 'it answered 200, and not "OK"', 0],
    ['the check is not there', { status: 404 }, 'it answered 404: there is no such check', 0],
    ['its name is not its own', { status: 409 }, 'it answered 409: several checks have this name', 0],
  ] as const)('says that it was not pinged when %s', async ([, answer, why, pauses], { expect }) => {
    const receiver = await check(...Array<Answer>(5).fill(answer))
    const { problem, waited } = await ended(receiver.url, 1)
    expect(problem).toBe(`HEARTBEAT_URL was not pinged (exit 1): ${why}`)
    expect(waited).toHaveLength(pauses)
    expect(receiver.pings).toEqual([])
  })

  test('sends nobody else', async ({ expect }) => {
    const elsewhere = await check()
    const receiver = await check({ status: 302, headers: { location: elsewhere.url } })
    expect((await ended(receiver.url, 0)).problem).toBe(
      'HEARTBEAT_URL was not pinged (success): it answered 302',
    )
    expect(elsewhere.pings).toEqual([])
  })

  // Whoever knows the URL can silence the switch.
  test('has its URL in no text', async ({ expect }) => {
    const echoing = await check(...[200, 404, 500, 500, 500].map((status) => ({ status, body: `/${CHECK}` })))
    for (const url of [echoing.url, echoing.url, echoing.url, `http://nowhere.invalid/${CHECK}`]) {
      const { problem } = await ended(url, 0)
      expect(problem).toContain('HEARTBEAT_URL was not pinged')
      expect(problem).not.toContain(CHECK)
    }
  })
})
