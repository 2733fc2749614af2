import { describe, expect, test } from 'vitest'
import { UsageError } from './errors.ts'
import { parseHeartbeatUrl } from './heartbeat.ts'

const CHECK = 'https://hc-ping.com/5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278'

describe('HEARTBEAT_URL', () => {
  test.for([CHECK, `${CHECK}/`, `${CHECK}?create=1`, 'http://10.0.0.1:8000/ping/key/token-audit'])(
    'may be %s',
    (url) => {
      expect(parseHeartbeatUrl(url)).toBe(url)
    },
  )

  test.for([undefined, ''])('may be missing: %s', (value) => {
    expect(parseHeartbeatUrl(value)).toBeUndefined()
  })

  // Copied with its ending, every ping would go to …/start/start, and the switch would never be fed.
  test.for([
    ['hc-ping.com/geheim', 'is no URL'],
    ['ftp://hc-ping.com/geheim', 'is no URL'],
    ['https://ann:geheim@hc-ping.com/x', 'is no URL'],
    [`${CHECK}/start`, "must be a check's own ping URL"],
    [`${CHECK}/fail/`, "must be a check's own ping URL"],
    [`${CHECK}/0`, "must be a check's own ping URL"],
  ] as const)('may not be %s', ([url, why]) => {
    expect(() => parseHeartbeatUrl(url)).toThrow(UsageError)
    expect(() => parseHeartbeatUrl(url)).toThrow(why)
    // Whoever knows the URL can silence the switch.
    expect(() => parseHeartbeatUrl(url)).not.toThrow(/geheim|5bf66975/)
  })
})
