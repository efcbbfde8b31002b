import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

/** A file as the house rules look at it: its text, and for TypeScript what the compiler's own parser finds in it. */
export type SourceFile = { path: string; lines: string[]; text: string; syntax: Syntax }

/** Something in a file, and the line that it starts on (from 1). */
export type Place = { line: number; text: string }

export type Syntax = {
  imports: Place[]
  /** Text of strings and templates, `${…}` left out. */
  literals: Place[]
  /** `a.b` and `new a`, as they are written. */
  uses: Place[]
  anys: Place[]
  defaultExports: Place[]
  /** Functions; `text` is the number of lines. */
  functions: Place[]
  /** Exported functions without a doc comment. */
  undocumented: Place[]
}

export const root = join(import.meta.dir, '../..')

/** Every text file of the project, as paths from its top; what is installed, built or generated is left out. */
export function projectFiles(): string[] {
  const glob = new Bun.Glob('{.ci,.github,src,scripts,tests,figuras,patches}/**/*')
  const top = new Bun.Glob('{*,.dockerignore,.gitignore,.oxlintrc.json,.prettierrc.json}')
  const scan = { cwd: root, dot: true, onlyFiles: true }
  return [...glob.scanSync(scan), ...top.scanSync(scan)].sort()
}

export function readSource(path: string): SourceFile {
  return parseSource(path, readFileSync(join(root, path), 'utf8'))
}

export function parseSource(path: string, text: string): SourceFile {
  return { path, text, lines: text.split('\n'), syntax: path.endsWith('.ts') ? parse(path, text) : nothing() }
}

function nothing(): Syntax {
  return {
    imports: [],
    literals: [],
    uses: [],
    anys: [],
    defaultExports: [],
    functions: [],
    undocumented: [],
  }
}

function parse(path: string, text: string): Syntax {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true)
  const found = nothing()
  const lineOf = (position: number) => file.getLineAndCharacterOfPosition(position).line + 1
  const at = (node: ts.Node, what: string): Place => ({ line: lineOf(node.getStart(file)), text: what })

  function visit(node: ts.Node): void {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      if (node.moduleSpecifier && ts.isStringLiteral(node.moduleSpecifier)) {
        found.imports.push(at(node, node.moduleSpecifier.text))
      }
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [specifier] = node.arguments
      if (specifier && ts.isStringLiteral(specifier)) found.imports.push(at(node, specifier.text))
    } else if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) {
      found.literals.push(at(node, node.text))
    } else if (ts.isTemplateExpression(node)) {
      const parts = [node.head.text, ...node.templateSpans.map((span) => span.literal.text)]
      found.literals.push(at(node, parts.join('…')))
    } else if (ts.isPropertyAccessExpression(node)) {
      found.uses.push(at(node, node.getText(file)))
    } else if (ts.isNewExpression(node)) {
      found.uses.push(at(node, `new ${node.expression.getText(file)}`))
    } else if (node.kind === ts.SyntaxKind.AnyKeyword) {
      found.anys.push(at(node, 'any'))
    }
    if (exportsDefault(node)) found.defaultExports.push(at(node, 'export default'))
    if (ts.isFunctionLike(node) && 'body' in node && node.body) {
      const lines = lineOf(node.end) - lineOf(node.getStart(file)) + 1
      found.functions.push(at(node, String(lines)))
    }
    if (ts.isFunctionDeclaration(node) && isExported(node) && !ts.getJSDocCommentsAndTags(node).length) {
      found.undocumented.push(at(node, node.name?.text ?? 'a function'))
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}

function isExported(node: ts.FunctionDeclaration): boolean {
  return Boolean(node.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword))
}

function exportsDefault(node: ts.Node): boolean {
  if (ts.isExportAssignment(node)) return true
  if (ts.isExportSpecifier(node)) return node.name.text === 'default'
  return node.kind === ts.SyntaxKind.DefaultKeyword && !ts.isDefaultClause(node.parent)
}
