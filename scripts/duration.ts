import { InvalidArgumentError } from 'commander'

/** A time like 30s, 10m or 2h, in milliseconds. Throws InvalidArgumentError for anything else, and for zero. */
export function msOf(value: string): number {
  const [, number, unit] = /^([1-9]\d{0,5})(s|m|h)$/.exec(value) ?? []
  if (number === undefined) throw new InvalidArgumentError('must be a time like 30s, 10m or 2h, and not zero')
  return Number(number) * { s: 1_000, m: 60_000, h: 3_600_000 }[unit as 's' | 'm' | 'h']
}
