import { readFile } from 'node:fs/promises'
import { type Document, isNode, LineCounter, parseDocument } from 'yaml'
import type { z } from 'zod'
import { shown, UsageError } from './errors.ts'

/** A file that was read: its value, and the line of any part of it. */
export interface YamlFile<T> {
  readonly value: T
  /** Where a part of the value stands, for messages: `targets.yml:12`. */
  place(...path: readonly (string | number)[]): string
}

/**
 * Reads a YAML file that must have this shape.
 *
 * @throws UsageError with a line for each problem, each with file and line
 */
export async function readYaml<T>(path: string, schema: z.ZodType<T>): Promise<YamlFile<T>> {
  const file = shown(path)
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${file} can't be read (${error.code})`)
  })
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true })
  const at = (offset: number) => `${file}:${lines.linePos(offset).line}`
  if (document.errors.length > 0) {
    throw new UsageError(
      document.errors.map(({ pos, message }) => `${at(pos[0])}: ${message.split(' at line ', 1)[0]}`),
    )
  }
  const place = (...parts: readonly (string | number)[]): string => {
    for (let depth = parts.length; depth >= 0; depth--) {
      const node = depth === 0 ? document.contents : document.getIn(parts.slice(0, depth), true)
      if (isNode(node) && node.range != null) return at(node.range[0])
    }
    return `${file}:1`
  }
  const parsed = schema.safeParse(valueIn(document, file))
  if (!parsed.success) {
    throw new UsageError(
      parsed.error.issues.map(({ path, message }) => {
        const parts = path.map((part) => (typeof part === 'symbol' ? String(part) : part))
        return `${place(...parts)}: ${parts.length === 0 ? '' : `${parts.join('.')}: `}${message}`
      }),
    )
  }
  return { value: parsed.data, place }
}

/** An alias without an anchor, or with too many of them, shows when it is followed. */
function valueIn(document: Document, file: string): unknown {
  try {
    return document.toJS() ?? undefined
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message}`)
  }
}
