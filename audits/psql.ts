import type { Invariant } from './catalogue.ts'

/**
 * The line to copy into a shell, in the repository's root, that shows one violation: the rule itself, for that
 * subject. A rule that needs evidence can't run by hand without it: there the user's ledger is shown.
 *
 * @param url without password
 * @returns null where there is nothing to show by hand
 */
export function psqlLine(
  rule: Invariant,
  url: string,
  settings: Readonly<Record<string, string>>,
  subject: { readonly subjectId: string; readonly userId: string | null },
): string | null {
  const before = [
    'begin read only',
    `set local search_path = ''`,
    'set local row_security = off',
    `set local timezone = 'UTC'`,
  ]
  if (rule.needsEvidence) {
    return subject.userId === null
      ? null
      : line(url, [
          ...before,
          `select u.created_at, u.action_type, u.tokens_used, u.metadata from public.token_usage as u where u.user_id = ${literal(subject.userId)} order by u.created_at`,
        ])
  }
  for (const [name, value] of Object.entries(settings)) {
    if (value !== '' && rule.sql.includes(name)) before.push(`set local ${name} = ${literal(value)}`)
  }
  const where = `where v.subject_id = ${literal(subject.subjectId)}`
  return line(url, [...before, `select v.* from (\0) as v ${where}`]).replace(
    '\0',
    () => `$(cat ${quoted(rule.file)})`,
  )
}

function line(url: string, statements: readonly string[]): string {
  return `psql -Xq ${quoted(url)} -c "${statements.join('; ').replaceAll(/[\\"$`]/g, '\\$&')}"`
}

function literal(text: string): string {
  return `'${text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?').replaceAll("'", "''")}'`
}

function quoted(text: string): string {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
