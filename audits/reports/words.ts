/** A count with its noun: `1 rule`, `1,200 rules`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${grouped(String(count))} ${count === 1 ? one : many}`
}

/** A number as Postgres wrote it, as people read it: `1234567.50` is `1,234,567.5`. */
export function grouped(number: string): string {
  const [whole = '', fraction = ''] = number.split('.')
  const rest = fraction.replace(/0+$/, '')
  return whole.replace(/\B(?=(\d{3})+$)/g, ',') + (rest === '' ? '' : `.${rest}`)
}

/** The whole part of a number that Postgres wrote: money and tokens are never floats. */
export function whole(number: string): bigint {
  return BigInt(number.split('.')[0] ?? '')
}

/**
 * What would move the cursor, end a line, turn the reading direction, or be no character at all. Ids come from a
 * database that may be broken, and a report must show what is there.
 */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]|\p{Cs}/gu

/** A text on one line, in which every character can be seen: the others as `\u001b`. */
export function visible(text: string): string {
  return text.replace(UNSEEN, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
