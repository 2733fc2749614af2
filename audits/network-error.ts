/**
 * Why a request got no answer: the code alone, such as ECONNREFUSED, since the texts of errors repeat what was asked
 * for, and here the URL is a secret.
 */
export function networkErrorCode(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  const code = (cause as { code?: unknown } | null)?.code
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]+$/.test(code) ? code : 'the connection was lost'
}
