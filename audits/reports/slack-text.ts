import { printable } from './words.ts'

/** A text in which Slack finds no mention and no link, of at most `most` characters. */
export function mrkdwn(text: string, most: number): string {
  const escaped = printable(text).replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  return cut(escaped, most)
}

/** A text in a code span. A backtick would end it, so that it is shown as an apostrophe. */
export function code(text: string, most: number): string {
  return `\`${mrkdwn(text.replaceAll('`', "'"), most)}\``
}

/**
 * A line to copy, in a block of its own. Not one character of it may be another than it was: so null where three
 * backticks would end the block, or where the line holds what can't be shown.
 */
export function codeBlock(line: string): string | null {
  if (printable(line) !== line || line.includes('```') || line.endsWith('`')) return null
  return `\`\`\`${mrkdwn(line, Number.POSITIVE_INFINITY)}\`\`\``
}

/** `<url|words>`; undefined for what is no link, or too long for one. */
export function link(url: string, words: string): string | undefined {
  if (!URL.canParse(url) || url.length > 1_000) return undefined
  const safe = new URL(url).href.replaceAll('|', '%7C').replaceAll('<', '%3C').replaceAll('>', '%3E')
  return `<${safe.replaceAll('&', '&amp;')}|${words}>`
}

/** Cuts neither through a character nor through an entity. */
function cut(text: string, most: number): string {
  if (text.length <= most) return text
  return `${text
    .slice(0, most - 1)
    .replace(/[\ud800-\udbff]$/, '')
    .replace(/&[a-z]{0,3}$/, '')}…`
}
