/** Exact arithmetic on decimal texts, as Postgres writes numeric: no float ever holds an amount. */

/** a + b + … of decimals such as `20.50`; `0` of none. */
export function sum(decimals: readonly string[]): string {
  const scale = Math.max(0, ...decimals.map(scaleOf))
  return text(
    decimals.map((decimal) => scaled(decimal, scale)).reduce((all, one) => all + one, 0n),
    scale,
  )
}

/** |a − b|. */
export function gap(a: string, b: string): string {
  const scale = Math.max(scaleOf(a), scaleOf(b))
  const difference = scaled(a, scale) - scaled(b, scale)
  return text(difference < 0n ? -difference : difference, scale)
}

/** Whether a > b. */
export function exceeds(a: string, b: string): boolean {
  const scale = Math.max(scaleOf(a), scaleOf(b))
  return scaled(a, scale) > scaled(b, scale)
}

function scaleOf(decimal: string): number {
  return decimal.split('.')[1]?.length ?? 0
}

function scaled(decimal: string, scale: number): bigint {
  const [whole = '', fraction = ''] = decimal.split('.')
  return BigInt(whole + fraction.padEnd(scale, '0'))
}

function text(value: bigint, scale: number): string {
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0')
  const point = digits.length - scale
  return `${value < 0n ? '-' : ''}${digits.slice(0, point)}${scale > 0 ? `.${digits.slice(point)}` : ''}`
}
