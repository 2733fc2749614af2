/** A problem in one file: the line counts from 1. */
export interface FileProblem {
  readonly line: number
  readonly text: string
}

/** The header of one SQL file, and what follows it. */
export interface Header {
  readonly values: ReadonlyMap<string, { readonly value: string; readonly line: number }>
  readonly body: string
  /** The line of the file on which the body begins. */
  readonly bodyLine: number
  readonly problems: readonly FileProblem[]
}

const KEY_LINE = /^-- ([a-z][a-z-]*): (\S.*)$/
const CONTINUATION = /^-- {3}(\S.*)$/

/**
 * Reads the leading block of `-- key: value` lines. A line of `--` and three spaces goes on with the value above it.
 * Nothing else may stand in the block: whoever misspells a key must hear of it.
 *
 * @param required keys that must be there
 * @param optional keys that may be there
 */
export function readHeader(text: string, required: readonly string[], optional: readonly string[]): Header {
  const known = [...required, ...optional]
  const values = new Map<string, { value: string; line: number }>()
  const problems: FileProblem[] = []
  const lines = text.split('\n')
  let last: string | undefined
  let end = 0
  for (; end < lines.length; end++) {
    const line = (lines[end] ?? '').trimEnd()
    if (!line.startsWith('--')) {
      break
    }
    const at = end + 1
    const [, key, value] = KEY_LINE.exec(line) ?? []
    const [, more] = CONTINUATION.exec(line) ?? []
    if (key !== undefined && value !== undefined) {
      if (!known.includes(key)) {
        problems.push({ line: at, text: `unknown key "${key}"; known are: ${known.join(', ')}` })
      } else if (values.has(key)) {
        problems.push({
          line: at,
          text: `key "${key}" is repeated; it is on line ${values.get(key)?.line} already`,
        })
      } else {
        values.set(key, { value, line: at })
      }
      last = key
    } else if (more !== undefined && last !== undefined) {
      const begun = values.get(last)
      if (begun !== undefined) {
        values.set(last, { ...begun, value: `${begun.value} ${more}` })
      }
    } else {
      problems.push({
        line: at,
        text: `not a header line: "${line}"; write "-- key: value", or "--   " to go on with the line above, and leave an empty line before other comments`,
      })
    }
  }
  for (const key of required) {
    if (!values.has(key)) {
      problems.push({ line: 1, text: `key "${key}" is missing` })
    }
  }
  // A key below the header would be taken for a comment, and a rule with a lost "needs" or "settle" judges wrongly.
  lines.slice(end).forEach((line, index) => {
    const [, key] = KEY_LINE.exec(line.trimEnd()) ?? []
    if (key !== undefined && known.includes(key)) {
      problems.push({ line: end + index + 1, text: `key "${key}" stands below the header; move it up` })
    }
  })
  return { values, body: lines.slice(end).join('\n'), bodyLine: end + 1, problems }
}
