import { posix } from 'node:path'
import {
  isCallExpression,
  isNoSubstitutionTemplateLiteral,
  isStringLiteral,
  type Node,
  type NoSubstitutionTemplateLiteral,
  type SourceFile,
  type StringLiteral,
  SyntaxKind,
} from 'typescript/unstable/ast'
import type { FileSystem } from 'typescript/unstable/fs'
import { API } from 'typescript/unstable/sync'

/** One import, export … from, import type, or import() of a file. Paths are relative to the root. */
export interface Import {
  readonly file: string
  readonly line: number
  /** As written; null: an import() of something that is computed, which no reading of the source can follow. */
  readonly specifier: string | null
}

export interface Sources {
  readonly files: readonly string[]
  readonly imports: readonly Import[]
}

/** What TypeScript's own parser finds in the files that `tsconfig.json` of `root` includes. */
export function readSources(root: string, fs?: FileSystem): Sources {
  const api = new API({ cwd: root, ...(fs && { fs }) })
  try {
    const project = api.updateSnapshot({ openProjects: [`${root}/tsconfig.json`] }).getProjects()[0]
    if (project === undefined) throw new Error(`TypeScript can't open ${root}/tsconfig.json`)
    const files: string[] = []
    const imports: Import[] = []
    for (const path of project.rootFiles) {
      const source = project.program.getSourceFile(path)
      if (source === undefined) throw new Error(`TypeScript can't read ${path}`)
      const file = posix.relative(root, path)
      files.push(file)
      for (const node of importsIn(source))
        imports.push({
          file,
          line: source.getLineAndCharacterOfPosition(node.end).line + 1,
          specifier: isQuoted(node) ? node.text : null,
        })
    }
    return { files, imports }
  } finally {
    api.close()
  }
}

/** The specifiers that TypeScript itself collects, and the arguments of the import() calls that it leaves out. */
function importsIn(source: SourceFile): Node[] {
  const found = [...source.imports]
  const visit = (node: Node): undefined => {
    if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments
      if (argument !== undefined && !isQuoted(argument)) found.push(argument)
    }
    node.forEachChild(visit)
  }
  visit(source)
  return found
}

function isQuoted(node: Node): node is StringLiteral | NoSubstitutionTemplateLiteral {
  return isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node)
}
