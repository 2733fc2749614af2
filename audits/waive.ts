import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { stringify } from 'yaml'
import { exceeds, gap, sum } from './decimal.ts'
import { shown, UsageError } from './errors.ts'
import { type Report, reportSchema } from './reports/report.ts'
import { printable } from './reports/words.ts'
import { dayOf, MOST_DAYS, readWaivers } from './waivers.ts'

/** A violation that somebody decides to live with. */
export interface Wish {
  readonly fingerprint: string
  readonly owner: string
  readonly reason: string
  readonly ticket: string
  /** How long, today not counted. */
  readonly days: number
}

/** What a waiver covers at most, and what it is about, in words. */
export interface Bounds {
  readonly maxRows: number
  readonly maxImpact: string
  readonly about?: string
}

/**
 * The bounds of a waiver that covers a violation as a JSON report has it now, on whichever target it is worst.
 *
 * @throws UsageError when the file is no report, or does not name the violation
 */
export async function boundsIn(path: string, fingerprint: string): Promise<Bounds> {
  const report = await readReport(path)
  const found = report.targets.flatMap((target) =>
    target.invariants.flatMap((rule) => {
      const rows = rule.sample.filter((row) => row.fingerprint === fingerprint)
      const [row] = rows
      return row === undefined ? [] : [{ target, rule, row, rows }]
    }),
  )
  const [first] = found
  if (first === undefined) {
    throw new UsageError(`${shown(path)} names no violation with the fingerprint ${fingerprint}`)
  }
  const impacts = found.map(({ rows }) => sum(rows.map(({ expected, actual }) => gap(expected, actual))))
  const { rule, row } = first
  return {
    maxRows: Math.max(...found.map(({ rows }) => rows.length)),
    maxImpact: impacts.reduce((most, impact) => (exceeds(impact, most) ? impact : most)),
    about: printable(`${rule.id}: ${row.subject_type} ${row.subject_id}`),
  }
}

/**
 * Appends a waiver to a file, which keeps its comments and is made when it is missing.
 *
 * @param ids of all rules
 * @returns the entry
 * @throws UsageError when the file, or the entry, is not well-formed, or the violation is waived already: the file
 *   stays as it is
 */
export async function waive(
  path: string,
  wish: Wish,
  bounds: Bounds,
  ids: readonly string[],
  now: Date,
): Promise<string> {
  if (!Number.isInteger(wish.days) || wish.days < 1 || wish.days > MOST_DAYS) {
    throw new UsageError(`--days: a whole number from 1 to ${MOST_DAYS}`)
  }
  const before = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw new UsageError(`${shown(path)} can't be read (${error.code})`)
  })
  if (before !== '') await readWaivers(path, ids, now)
  const entry = entryOf(wish, bounds, now)
  const draft = `${path}.new`
  try {
    await writeFile(draft, `${before}${before === '' || before.endsWith('\n') ? '' : '\n'}${entry}`)
    await readWaivers(draft, ids, now)
    await rename(draft, path)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    throw new UsageError(
      error.problems.map((problem) => {
        const what = problem.replace(/^.*?:\d+: (\d+\.)?/, '').replaceAll(shown(draft), shown(path))
        return `${shown(path)} can't take the waiver: ${what}`
      }),
    )
  } finally {
    await rm(draft, { force: true })
  }
  return entry
}

function entryOf({ fingerprint, owner, reason, ticket, days }: Wish, bounds: Bounds, now: Date): string {
  const last = new Date(now)
  last.setUTCDate(last.getUTCDate() + days)
  const entry = {
    fingerprint,
    owner,
    reason,
    ticket,
    expires: dayOf(last),
    'max-rows': bounds.maxRows,
    'max-impact': bounds.maxImpact,
  }
  const comment = bounds.about === undefined ? '' : `# ${bounds.about}\n`
  return `${comment}${stringify([entry], { lineWidth: 0 })}`
}

async function readReport(path: string): Promise<Report> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(
      `--report ${shown(path)} can't be read (${error.code}): npm run audit -- --json FILE writes it`,
    )
  })
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new UsageError(`--report ${shown(path)} is no JSON`)
  }
  const { success, data } = reportSchema.safeParse(json)
  if (!success) {
    throw new UsageError(
      `--report ${shown(path)} is no report of this audit: npm run audit -- --json FILE writes it`,
    )
  }
  return data
}
