import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { shown, UsageError } from './errors.ts'
import { type FileProblem, type Header, readHeader } from './header.ts'
import { rowScreen } from './screen-sql.ts'
import { type QueryReading, readQuery, readStatements, SCREEN_SETTINGS } from './sql.ts'
import { isStage, STAGES, type Stage } from './stage.ts'

export const SEVERITIES = ['critical', 'major', 'minor'] as const
export type Severity = (typeof SEVERITIES)[number]

/** One rule: a file of the catalogue. */
export interface Invariant {
  /** The file's name without .sql. */
  readonly id: string
  /** Its path, as `shown` in messages. */
  readonly file: string
  readonly title: string
  readonly severity: Severity
  /** Stages of the road on which the rule has meaning. */
  readonly stages: readonly Stage[]
  readonly why: string
  readonly fix: string
  /** What `expected` and `actual` count, e.g. tokens. */
  readonly unit: string
  /** A query that counts what the rule looks at. */
  readonly population: string
  /** How long the flow that the rule judges may take to settle; 0 where facts commit together. */
  readonly settleMs: number
  readonly needsEvidence: boolean
  readonly sql: string
  /** Line of the file on which `sql` begins. */
  readonly line: number
  /** The rule has the column user_id. */
  readonly namesUser: boolean
  /** Built-in functions that rule, population and screen call. */
  readonly functions: readonly string[]
  /**
   * From the file of that name in `screens`, else from the rule itself where that asks one question of each row of one
   * table. Undefined: its select is run each time.
   */
  readonly screen?: Screen | undefined
}

/** A cheap question whose yes says that the rule would find nothing. */
export interface Screen {
  /** One select of one boolean: true where the rule's select would return no row. */
  readonly sql: string
  /** Where it can be asked; undefined: wherever the rule has meaning. */
  readonly stages?: readonly Stage[]
}

export interface Catalogue {
  readonly invariants: readonly Invariant[]
}

/** One fault: a file that breaks a healthy database. */
export interface Break {
  readonly id: string
  /** Its path, as `shown` in messages. */
  readonly file: string
  readonly title: string
  /** Stages of the healthy databases that it is applied to. */
  readonly stages: readonly Stage[]
  /** The invariants that must turn red, and no other. */
  readonly turnsRed: readonly string[]
  /** A select that names, after the break, what the red invariants must name. */
  readonly subject: string
  readonly needsEvidence: boolean
  readonly sql: string
}

/** The columns of a rule, by name; user_id may be left out. */
export const RULE_COLUMNS = {
  subject_type: 'text',
  subject_id: 'text',
  detail: 'text',
  expected: 'numeric',
  actual: 'numeric',
  occurred_at: 'timestamptz',
} as const

const ID = /^[a-z0-9]+(-[a-z0-9]+)*$/
const UNIT = /^[a-z]+( [a-z]+)*$/
const SETTLE = /^([1-9]\d{0,4})(s|m|h|d)$/
const SETTLE_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/**
 * Reads every rule of one or several directories, and checks all of it before any database is asked.
 *
 * @throws UsageError with one line for each problem: file, line, what
 */
export async function readCatalogue(...directories: string[]): Promise<Catalogue> {
  const problems: string[] = []
  const invariants: Invariant[] = []
  const screens = await readScreens(directories, problems)
  for (const { file, id, text } of await readDirectories(directories, problems)) {
    const header = readHeader(
      text,
      ['title', 'severity', 'stages', 'why', 'fix', 'unit', 'population'],
      ['settle', 'needs'],
    )
    const found: FileProblem[] = [...header.problems]
    const fields = new Fields(header, found)
    const severity = fields.oneOf('severity', SEVERITIES)
    const stages = fields.stages(STAGES)
    const unit = fields.matching('unit', UNIT, 'lower-case words, such as tokens') ?? ''
    const settleMs = fields.settle()
    const needsEvidence = fields.needsEvidence()
    const population = fields.value('population')
    const counted = await readQuery(population || 'select', fields.line('population'))
    const rule = await readQuery(header.body, header.bodyLine)
    found.push(...rule.problems, ...(population ? counted.problems : []))
    if (
      population &&
      counted.problems.length === 0 &&
      !counted.readsTable &&
      !counted.settings.includes('audit.evidence')
    ) {
      found.push({
        line: fields.line('population'),
        text: 'the population reads no table: it would never be empty',
      })
    }
    checkColumns(rule, header.bodyLine, found)
    checkSettings(rule, counted, { settleMs, needsEvidence }, header, found)
    for (const { line, text } of found) {
      problems.push(`${file}:${line}: ${text}`)
    }
    if (severity !== undefined) {
      invariants.push({
        id,
        file,
        title: fields.value('title'),
        severity,
        stages,
        why: fields.value('why'),
        fix: fields.value('fix'),
        unit,
        population,
        settleMs,
        needsEvidence,
        sql: header.body.trim(),
        line: header.bodyLine + leadingLines(header.body),
        namesUser: rule.columns.includes('user_id'),
        functions: [
          ...new Set([...rule.functions, ...counted.functions, ...(screens.get(id)?.functions ?? [])]),
        ],
        screen: screens.get(id) ?? (rule.problems.length === 0 ? await rowScreen(header.body) : undefined),
      })
    }
  }
  const ids = new Set(invariants.map(({ id }) => id))
  for (const [id, { file }] of screens) {
    if (!ids.has(id)) problems.push(`${file}: there is no rule "${id}"; a screen is named as its rule`)
  }
  if (problems.length > 0) {
    throw new UsageError(problems)
  }
  return { invariants }
}

interface ScreenFile extends Screen {
  readonly file: string
  /** Ids of the screens that must be clear as well. */
  readonly given: readonly string[]
  readonly functions: readonly string[]
}

/** The screens that stand beside the rules: one query of one boolean a file, `clear`. By the rule's id. */
async function readScreens(
  directories: readonly string[],
  problems: string[],
): Promise<ReadonlyMap<string, ScreenFile>> {
  const beside = directories
    .map((directory) => join(directory, '../screens'))
    .filter((path) => existsSync(path))
  const screens = new Map<string, ScreenFile>()
  for (const { file, id, text } of await readDirectories(beside, problems)) {
    const header = readHeader(text, ['proves'], ['given', 'stages'])
    const query = await readQuery(header.body, header.bodyLine, SCREEN_SETTINGS)
    const found = [...header.problems]
    const fields = new Fields(header, found)
    const stages = fields.stages(STAGES)
    found.push(...query.problems)
    if (query.problems.length === 0 && (query.columns.length !== 1 || query.columns[0] !== 'clear')) {
      found.push({
        line: header.bodyLine,
        text: 'a screen selects one boolean, clear: true where its rule would find nothing',
      })
    }
    problems.push(...found.map(({ line, text }) => `${file}:${line}: ${text}`))
    screens.set(id, {
      file,
      given: fields.list('given'),
      sql: header.body.trim(),
      functions: query.functions,
      ...(stages.length > 0 && { stages }),
    })
  }
  return new Map([...screens].map(([id, screen]) => [id, together(screen, screens, problems)]))
}

/** A screen that proves its rule only where others are clear as well asks those too. */
function together(
  screen: ScreenFile,
  screens: ReadonlyMap<string, ScreenFile>,
  problems: string[],
): ScreenFile {
  const asked = [screen]
  for (const id of screen.given) {
    const other = screens.get(id)
    if (other === undefined || other.given.length > 0) {
      problems.push(`${screen.file}: given names no screen, or one with a "given" of its own: "${id}"`)
    } else {
      asked.push(other)
    }
  }
  if (asked.length === 1) return screen
  return {
    ...screen,
    sql: `select ${asked.map(({ sql }) => `(\n${sql}\n)`).join(' and ')} as clear`,
    functions: asked.flatMap(({ functions }) => functions),
  }
}

/**
 * Reads the faults, and checks that each names rules of the catalogue.
 *
 * @throws UsageError with one line for each problem: file, line, what
 */
export async function readBreaks(directory: string, catalogue: Catalogue): Promise<readonly Break[]> {
  const problems: string[] = []
  const breaks: Break[] = []
  const known = new Map(catalogue.invariants.map((invariant) => [invariant.id, invariant]))
  for (const { file, id, text } of await readDirectories([directory], problems)) {
    const header = readHeader(text, ['title', 'stages', 'turns-red', 'subject'], ['needs'])
    const found: FileProblem[] = [...header.problems]
    const fields = new Fields(header, found)
    const needsEvidence = fields.needsEvidence()
    const turnsRed = fields.list('turns-red')
    for (const red of turnsRed) {
      const invariant = known.get(red)
      if (invariant === undefined) {
        found.push({ line: fields.line('turns-red'), text: `turns-red names no invariant: "${red}"` })
      } else if (invariant.needsEvidence && !needsEvidence) {
        found.push({
          line: fields.line('turns-red'),
          text: `"${red}" needs evidence; add "-- needs: evidence"`,
        })
      }
    }
    const subject = fields.value('subject')
    if (subject !== '') {
      // One select is all that counts here: a break's subject may use the clock, or a limit.
      const { columns, problems: wrong } = await readQuery(subject, fields.line('subject'))
      if (columns.length === 0) {
        found.push(...wrong)
      } else if (columns.length > 1) {
        found.push({ line: fields.line('subject'), text: 'subject selects one column: the subject ids' })
      }
    }
    const statements = await readStatements(header.body, header.bodyLine)
    found.push(...statements.problems)
    if (statements.kinds.includes('TransactionStmt')) {
      found.push({
        line: header.bodyLine,
        text: 'begin, commit or rollback; a break runs in one transaction',
      })
    }
    for (const { line, text } of found) {
      problems.push(`${file}:${line}: ${text}`)
    }
    breaks.push({
      id,
      file,
      title: fields.value('title'),
      stages: fields.stages(STAGES),
      turnsRed,
      subject,
      needsEvidence,
      sql: header.body.trim(),
    })
  }
  if (problems.length > 0) {
    throw new UsageError(problems)
  }
  return breaks
}

/**
 * The rules with these ids, in the order of the catalogue; all of them when no id is given.
 *
 * @throws UsageError naming an id that the catalogue does not have, and for an empty catalogue
 */
export function pick(catalogue: Catalogue, only: readonly string[] = []): readonly Invariant[] {
  if (catalogue.invariants.length === 0) {
    throw new UsageError('the catalogue is empty: no invariant, no verdict')
  }
  const ids = catalogue.invariants.map((invariant) => invariant.id)
  const unknown = only.filter((id) => !ids.includes(id))
  if (unknown.length > 0) {
    throw new UsageError(
      unknown.map((id) => `--only ${id}: there is no such invariant; known are: ${ids.join(', ')}`),
    )
  }
  return only.length === 0 ? catalogue.invariants : catalogue.invariants.filter(({ id }) => only.includes(id))
}

async function readDirectories(
  directories: readonly string[],
  problems: string[],
): Promise<readonly { file: string; id: string; text: string }[]> {
  const files: { file: string; id: string; text: string }[] = []
  for (const directory of directories) {
    const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
      throw new UsageError(
        `${shown(directory)}: can't be read: ${error instanceof Error ? error.message : String(error)}`,
      )
    })
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(directory, entry.name)
      const file = shown(path)
      const id = basename(entry.name, '.sql')
      // What is passed over in silence is a rule that nobody misses. Hidden files are the editors'.
      if (entry.name.startsWith('.')) {
        continue
      }
      if (!entry.isFile() || !entry.name.endsWith('.sql')) {
        problems.push(`${file}: not a .sql file; only those may be here`)
      } else if (!ID.test(id)) {
        problems.push(`${file}: the name is the id, in kebab case: a-z, 0-9 and single dashes`)
      } else {
        const twin = files.find((other) => other.id === id)
        if (twin !== undefined) {
          problems.push(`${file}: the id "${id}" is taken by ${twin.file}; rename one of them`)
        }
        files.push({ file, id, text: await readFile(path, 'utf8') })
      }
    }
  }
  return files
}

/** The header's values, checked; each problem names the line and the key. */
class Fields {
  readonly #header: Header
  readonly #problems: FileProblem[]

  constructor(header: Header, problems: FileProblem[]) {
    this.#header = header
    this.#problems = problems
  }

  value(key: string): string {
    return this.#header.values.get(key)?.value ?? ''
  }

  line(key: string): number {
    return this.#header.values.get(key)?.line ?? 1
  }

  oneOf<T extends string>(key: string, allowed: readonly T[]): T | undefined {
    const value = this.value(key)
    const found = allowed.find((name) => name === value)
    if (found === undefined && value !== '') {
      this.#problem(key, `${key} "${value}"; allowed are: ${allowed.join(', ')}`)
    }
    return found
  }

  matching(key: string, pattern: RegExp, expected: string): string | undefined {
    const value = this.value(key)
    if (value !== '' && !pattern.test(value)) {
      this.#problem(key, `${key} "${value}"; expected ${expected}`)
      return undefined
    }
    return value
  }

  list(key: string): string[] {
    const value = this.value(key)
    const names = value === '' ? [] : value.split(',').map((name) => name.trim())
    if (new Set(names).size < names.length) {
      this.#problem(key, `${key} names something twice`)
    }
    if (names.includes('')) {
      this.#problem(key, `${key} has a comma too many`)
    }
    return names
  }

  stages(allowed: readonly Stage[]): Stage[] {
    const names = this.list('stages')
    for (const name of names.filter((name) => name !== '' && !isStage(name))) {
      this.#problem('stages', `stages "${name}"; allowed are: ${allowed.join(', ')}`)
    }
    return names.filter(isStage)
  }

  settle(): number {
    const value = this.value('settle')
    if (value === '') {
      return 0
    }
    const [, size, unit] = SETTLE.exec(value) ?? []
    if (size === undefined || unit === undefined) {
      this.#problem('settle', `settle "${value}"; expected a number and s, m, h or d, such as 15m`)
      return 0
    }
    return Number(size) * SETTLE_MS[unit as keyof typeof SETTLE_MS]
  }

  needsEvidence(): boolean {
    return this.oneOf('needs', ['evidence']) !== undefined
  }

  #problem(key: string, text: string): void {
    this.#problems.push({ line: this.line(key), text })
  }
}

function checkColumns(rule: QueryReading, line: number, found: FileProblem[]): void {
  if (rule.problems.length > 0) {
    return
  }
  const expected = Object.keys(RULE_COLUMNS)
  for (const name of expected.filter((name) => !rule.columns.includes(name))) {
    found.push({
      line,
      text: `column "${name}" is missing; a rule selects ${expected.join(', ')} and, if it knows it, user_id`,
    })
  }
  rule.columns.forEach((name, index) => {
    if (name === null) {
      found.push({ line, text: `column ${index + 1} has no name` })
    } else if (!expected.includes(name) && name !== 'user_id') {
      found.push({ line, text: `column "${name}" is not one of ${expected.join(', ')}, user_id` })
    } else if (rule.columns.indexOf(name) < index) {
      found.push({ line, text: `column "${name}" is there twice` })
    }
  })
}

/** What the header promises and what the query reads must agree, or the runner gives it the wrong world. */
function checkSettings(
  rule: QueryReading,
  population: QueryReading,
  promised: { settleMs: number; needsEvidence: boolean },
  header: Header,
  found: FileProblem[],
): void {
  const reads = [...rule.settings, ...population.settings]
  const check = (setting: string, key: string, has: boolean, line: string) => {
    if (reads.includes(setting) && !has) {
      found.push({ line: header.bodyLine, text: `reads ${setting}, but the header has no "${line}"` })
    } else if (has && !reads.includes(setting) && rule.problems.length === 0) {
      found.push({
        line: header.values.get(key)?.line ?? 1,
        text: `"${line}", but ${setting} is read nowhere`,
      })
    }
  }
  check('audit.evidence', 'needs', promised.needsEvidence, '-- needs: evidence')
  check('audit.horizon', 'settle', promised.settleMs > 0, '-- settle: …')
}

function leadingLines(text: string): number {
  return text.slice(0, text.length - text.trimStart().length).split('\n').length - 1
}
