import { STATUSES, type Status } from '../verdict.ts'

interface Run {
  readonly status: Status
  readonly violations: number | null
}

const WIDTH = 4
const HEIGHT = 20
const RUNS = 30

/** A bar a run, the latest on the right; what it shows is said in words as well. */
export function sparkline(all: readonly Run[]): string {
  const runs = all.slice(-RUNS)
  const most = Math.max(1, ...runs.map(({ violations }) => violations ?? 0))
  const bars = runs.map(({ status, violations }, index) => {
    const x = (RUNS - runs.length + index) * (WIDTH + 1)
    if (!STATUSES[status].judged) {
      return `<rect class="hollow" x="${x + 0.5}" y="0.5" width="${WIDTH - 1}" height="${HEIGHT - 1}"/>`
    }
    const found = violations ?? 0
    // One violation among thousands must still be seen.
    const height = found === 0 ? 1 : Math.max(4, Math.round((HEIGHT * found) / most))
    return `<rect class="${found === 0 ? 'none' : 'found'}" x="${x}" y="${HEIGHT - height}" width="${WIDTH}" height="${height}"/>`
  })
  const width = RUNS * (WIDTH + 1)
  return `<svg class="trend" role="img" aria-label="${inWords(runs)}" viewBox="0 0 ${width} ${HEIGHT}" width="${width}" height="${HEIGHT}">${bars.join('')}</svg>`
}

function inWords(runs: readonly Run[]): string {
  const dark = runs.filter(({ status }) => !STATUSES[status].judged).length
  const found = runs.filter(
    ({ status, violations }) => STATUSES[status].judged && (violations ?? 0) > 0,
  ).length
  return `${runs.length} runs: ${found} with violations, ${dark} not judged`
}
