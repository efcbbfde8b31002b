import type { Duckdb } from '../db/duckdb.ts'
import { BulkError } from '../errors.ts'
import type { Figura } from '../figura/types.ts'
import { duckType } from './sql.ts'
import { expressionTreeSql, expressionTypeSql } from './sql-reading.ts'

/** An expression of a figura, as DuckDB understands it: the columns that it names, and the type that it gives. */
export type Expression = { columns: string[]; type: string }

/** By their text. */
export type Expressions = Map<string, Expression>

type Named = { name: string; type: string }

/**
 * Reads the expressions of a figura: `expr` over the columns of the file, `check` and `checks` over its own. They may
 * be anything that gives one value for a row, and no query: a figura says what a row is, and looks at nothing else.
 * An `expr` over a column that the file lacks is left out, and so is its column.
 * @throws BulkError `expression_wrong`
 */
export async function readExpressions(duck: Duckdb, figura: Figura, file: Named[]): Promise<Expressions> {
  const found: Expressions = new Map()
  for (const { name, expr } of figura.columns) {
    if (expr === undefined) continue
    const columns = await namedColumns(duck, expr, `Column ${name}, expr`)
    if (columns.every((one) => file.some((column) => isNamed(column, one))))
      found.set(expr, {
        columns,
        type: await typeOf(duck, expr, { among: file, subject: `Column ${name}, expr` }),
      })
    else found.set(expr, { columns, type: '' })
  }
  const own = figura.columns.map(({ name, type }) => ({ name, type: duckType(type) }))
  for (const [subject, check] of checksOf(figura)) {
    const columns = await namedColumns(duck, check, subject)
    const type = await typeOf(duck, check, { among: own, subject })
    if (type !== 'BOOLEAN')
      throw wrong(subject, `${check}, which gives ${type}`, 'an expression that is true or false')
    found.set(check, { columns, type })
  }
  return found
}

function checksOf({ columns, checks = {} }: Figura): [subject: string, check: string][] {
  return [
    ...columns.flatMap(({ name, check }): [string, string][] =>
      check ? [[`Column ${name}, check`, check]] : [],
    ),
    ...Object.entries(checks).map(([name, check]): [string, string] => [`The check ${name}`, check]),
  ]
}

/** DuckDB does not tell names apart by case. */
export function isNamed({ name }: { name: string }, other: string): boolean {
  return name.toLowerCase() === other.toLowerCase()
}

type Node = {
  class?: string
  function_name?: string
  type?: string
  column_names?: string[]
  [part: string]: unknown
}

async function namedColumns(duck: Duckdb, text: string, subject: string): Promise<string[]> {
  const [row] = await duck.query<{ tree: string }>(expressionTreeSql(text))
  const tree = JSON.parse(row?.tree ?? '{}') as {
    error?: boolean
    error_message?: string
    statements?: Statement[]
  }
  if (tree.error) throw wrong(subject, `${text} (${tree.error_message})`, 'an expression of DuckDB')
  const [statement, other] = tree.statements ?? []
  const node = statement?.node
  if (!node || other || node.select_list?.length !== 1 || node.from_table?.type !== 'EMPTY')
    throw wrong(subject, text, 'one expression')
  walk(node.select_list[0], (part) => {
    if (part.class && REFUSED.has(part.class)) throw wrong(subject, text, 'an expression over one row')
    if (part.class === 'FUNCTION' && OF_THE_SESSION.test(part.function_name ?? ''))
      throw wrong(subject, text, `an expression over one row, without ${part.function_name}()`)
  })
  return [...new Set(namesIn(node.select_list[0]))]
}

/** What is named in a part of an expression, but for what `x -> …` calls its own arguments. */
function namesIn(part: unknown): string[] {
  if (Array.isArray(part)) return part.flatMap(namesIn)
  if (typeof part !== 'object' || part === null) return []
  const node = part as Node
  if (node.class === 'COLUMN_REF') return [node.column_names?.[0] ?? '']
  if (node.class !== 'LAMBDA') return Object.values(node).flatMap(namesIn)
  const own = namesIn(node.lhs)
  return namesIn(node.expr).filter((name) => !own.some((one) => isNamed({ name: one }, name)))
}

type Statement = { node?: { select_list?: Node[]; from_table?: { type?: string } } }

/** What looks at more than a row, or at what no figura has. */
const REFUSED = new Set(['SUBQUERY', 'WINDOW', 'PARAMETER', 'STAR', 'POSITIONAL_REFERENCE'])

/** What tells of the service or changes it, holds its thread up, or reads files: nothing of this is about a row. */
const OF_THE_SESSION = new RegExp(
  [
    'pg_(?!typeof|size_pretty).*|current_(?!date|time|local).*|has_.*_privilege|session_user|user|version',
    'get_?variable|getenv|.*sleep.*|write_log|nextval|currval|setseed|txid_current|in_search_path',
    'read_.*|glob|sniff_.*|query.*|parquet_.*|duckdb_.*|pragma_.*|which_secret',
  ]
    .map((names) => `^(${names})$`)
    .join('|'),
  'i',
)

function walk(part: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(part)) for (const one of part) walk(one, visit)
  if (typeof part !== 'object' || part === null || Array.isArray(part)) return
  visit(part as Node)
  for (const inner of Object.values(part)) walk(inner, visit)
}

/** Asked of an empty relation with such columns. */
async function typeOf(
  duck: Duckdb,
  text: string,
  { among, subject }: { among: Named[]; subject: string },
): Promise<string> {
  try {
    const [, row] = await duck.query<{ type: string }>(expressionTypeSql(text, among))
    return row?.type ?? ''
  } catch (error) {
    const said = error instanceof Error ? error.message.split('\n')[0] : String(error)
    throw wrong(subject, `${text} (${said})`, 'an expression that DuckDB understands')
  }
}

function wrong(subject: string, found: string, expected: string): BulkError {
  return new BulkError('expression_wrong', { subject, found, expected })
}
