import { NoAnswer } from '../../fixtures/http-client.ts'
import { post } from '../../fixtures/stripe/sign.ts'
import { oneLine } from './timeline.ts'

/**
 * Asks an app that runs elsewhere what it says to a delivery that nobody signed. Throws where what answers can't be an
 * app's webhook (nothing, silence, a redirect, a web page, no such route), saying what to do.
 * @param patienceMs default: 30 s
 * @returns what is wrong with the answer; undefined: it is refused, as it must be
 */
export async function probe(
  appUrl: string,
  { standInPort, patienceMs }: { readonly standInPort: number; readonly patienceMs?: number },
): Promise<string | undefined> {
  const url = `${appUrl.replace(/\/+$/, '')}/api/stripe/webhook`
  const { status, body, location } = await post(url, '{}', null, patienceMs).catch((error: unknown) => {
    if (!(error instanceof NoAnswer)) throw error
    throw new Error(
      `${error.message}: start the app on the database of --into, ` +
        `with Stripe's API at http://127.0.0.1:${standInPort}`,
      { cause: error },
    )
  })
  const answered = `POST ${url} is answered ${status}`
  if (status >= 300 && status < 400) {
    throw new Error(
      `${answered}, to ${location}: Stripe follows no redirect. ` +
        'Give --app the address that it leads to, or take the path out of what redirects (a middleware, a trailing slash)',
    )
  }
  if (/^\s*<(!doctype|html)/i.test(body)) {
    throw new Error(
      `${answered} with a web page, ${oneLine(body.trim())}: what listens there is not the app, ` +
        'or shows a page of its own for sign-in or errors in the place of the webhook',
    )
  }
  if (status === 404 || status === 405) throw new Error(`${answered}: the app has no such webhook`)
  if (status >= 200 && status < 300)
    return `${answered}, though nobody has signed it: anybody could grant tokens`
  return undefined
}
