import { IncomingWebhook, IncomingWebhookHTTPError, IncomingWebhookRequestError } from '@slack/webhook'
import { UsageError } from '../errors.ts'
import type { SlackMessage } from './slack.ts'
import { printable } from './words.ts'

/**
 * The URL of an incoming webhook; undefined when none is given.
 *
 * @throws UsageError when it is none. The text is not repeated in it: whoever knows the URL may post.
 */
export function parseWebhookUrl(value: string | undefined): string | undefined {
  if (!value) return undefined
  if (!URL.canParse(value) || !['https:', 'http:'].includes(new URL(value).protocol)) {
    throw new UsageError('SLACK_WEBHOOK_URL is no URL; it looks like https://hooks.slack.com/services/…')
  }
  return value
}

/**
 * Posts to an incoming webhook.
 *
 * @returns why it was not delivered, in one line; undefined when Slack took it
 */
export async function postToSlack(
  url: string,
  message: SlackMessage,
  timeoutMs = 10_000,
): Promise<string | undefined> {
  try {
    await new IncomingWebhook(url, { timeout: timeoutMs }).send({ ...message })
    return undefined
  } catch (error) {
    return printable(problemOf(error, timeoutMs).replaceAll(url, 'SLACK_WEBHOOK_URL')).slice(0, 300)
  }
}

function problemOf(error: unknown, timeoutMs: number): string {
  if (error instanceof IncomingWebhookHTTPError) {
    return `Slack refused the message: ${error.statusCode} ${error.body || error.statusMessage}`
  }
  if (error instanceof IncomingWebhookRequestError) {
    const { original } = error
    if (original.name === 'TimeoutError') return `Slack did not answer within ${timeoutMs / 1_000} s`
    const { cause } = original
    return `Slack can't be reached: ${cause instanceof Error && cause.message !== '' ? cause.message : original.message}`
  }
  return `Slack can't be reached: ${error instanceof Error ? error.message : String(error)}`
}
