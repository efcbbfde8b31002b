import type { Difference } from '../errors.ts'
import { nearest } from '../figura/nearest.ts'
import { typeName } from '../figura/type-names.ts'
import { type Column, csvOf, type Figura, loadOf, type Mode } from '../figura/types.ts'
import { duckLiteral, quote } from '../quote.ts'
import { type Expressions, isNamed } from './expression.ts'
import { castText } from './fit-text.ts'
import { figuraTypeFor, fitType, isNarrow, jsonObject } from './fit-types.ts'
import { keptColumn } from './served.ts'
import { duckType, FILE_ROWS, GONE_COLUMN, ROW_COLUMN } from './sql.ts'
import { jsonTextSql } from './sql-formats.ts'

/**
 * A top-level column of the file; `type` is DuckDB's name for it, such as `DECIMAL(15,2)` or `VARCHAR[]`.
 * `written`: its name in the file, where two differ in case alone or not at all: DuckDB reads one by another name.
 * `loose`: it is text (VARCHAR), and may stand for a value of any type; `json`: the name of a column beside it that has
 * the JSON of the value (VARCHAR too), where the file is of such.
 */
export type FileColumn = { name: string; type: string; written?: string; loose?: boolean; json?: string }

/** A column of the stage, and the DuckDB expression over the file's columns that gives it in the encoded type. */
export type FittedColumn = {
  column: Column
  /** The columns of the file that the expression reads. */
  sources: string[]
  expression: string
  /** The text that it is read from, where it may stand for no value of the type; and what is read, before a default. */
  read?: { text: string; value: string }
}

/** Why the file is loaded, as far as it decides which columns the stage has. */
export type Purpose = {
  mode: Mode
  /** The number of the file among those of the job, where rows with one key are told apart in PostgreSQL. */
  position?: number
}

type Fit = { columns: FittedColumn[]; differences: Difference[] }

/**
 * Compares the file's columns with the figura, by name. A type fits when it can hold every value that the file's
 * type can: nothing is ever rounded, cut or guessed. Optional columns that the file lacks are left out, or filled in
 * where the figura says so; columns that only the file has are not read, unless it says so. All differences come at
 * once.
 */
export function fitColumns(
  figura: Figura,
  file: FileColumn[],
  { mode, position }: Purpose = { mode: loadOf(figura).mode },
  expressions: Expressions = new Map(),
): Fit {
  const columns: FittedColumn[] = []
  const differences: Difference[] = []
  const counter = file.find((column) => column.name.toLowerCase() === ROW_NUMBER)
  if (counter) differences.push(reserved(counter))
  const add = (fitted: FittedColumn | Difference | undefined) => {
    if (fitted && 'fix' in fitted) differences.push(fitted)
    else if (fitted) columns.push(fitted)
  }
  const wanted =
    mode === 'delete' ? figura.columns.filter(({ name }) => figura.key.includes(name)) : figura.columns
  for (const column of wanted) add(fitColumn(column, { figura, file, expressions }))
  if (mode !== 'delete') {
    const { deleteMarker } = loadOf(figura)
    if (deleteMarker) add(fitMarker(deleteMarker.from, file))
    for (const extra of fitExtra(figura, file, expressions)) add(extra)
  }
  if (mode === 'replace') for (const column of lackingScope(figura, columns)) add(missing(column, file))
  if (position !== undefined) columns.push(rowColumn(position))
  return { columns, differences }
}

/** What DuckDB calls the number of a row, by which chunks are read. It refuses a file with such a column. */
const ROW_NUMBER = 'file_row_number'

type Fitting = { figura: Figura; file: FileColumn[]; expressions: Expressions }

function fitColumn(column: Column, fitting: Fitting): FittedColumn | Difference | undefined {
  const fitted = column.expr === undefined ? fitNamed(column, fitting) : fitExpr(column, column.expr, fitting)
  if (fitted && 'fix' in fitted) return fitted
  if (fitted) return { ...fitted, expression: withDefault(column, fitted.expression) }
  if (column.missing === 'fill' && (column.default !== undefined || !column.required))
    return { column, sources: [], expression: withDefault(column, `null::${duckType(column.type)}`) }
  return column.required ? missing(column, fitting.file) : undefined
}

function fitNamed(column: Column, { figura, file }: Fitting): FittedColumn | Difference | undefined {
  for (const name of [column.from, ...(column.aliases ?? [])]) {
    const found = findColumn(file, name)
    if (found === 'unclear') return unclear(column, name)
    if (!found) continue
    if (found.loose) {
      const text = looseText(column, found)
      return readText(column, [found.name], { text, value: castText(column.type, text, csvOf(figura)) })
    }
    const source = nulled(column, quote(found.name), found.type)
    if (column.type.kind === 'uuid' && found.type === 'VARCHAR')
      return readText(column, [found.name], { text: source, value: `try_cast(${source} as UUID)` })
    const expression = fitType(column.type, found.type, source)
    if (expression === undefined) return misfit(column, found)
    if (!isNarrow(column.type, found.type)) return { column, sources: [found.name], expression }
    const value = `try_cast(${source} as ${duckType(column.type)})`
    return readText(column, [found.name], { text: `cast(${source} as VARCHAR)`, value })
  }
  return undefined
}

/** An error within the expression is a value that does not fit; its type must fit as that of a column does. */
function fitExpr(
  column: Column,
  expr: string,
  { figura, file, expressions }: Fitting,
): FittedColumn | Difference | undefined {
  const read = expressions.get(expr)
  if (!read) throw new Error(`The expression of ${column.name} was not read`)
  const sources = file
    .filter((one) => read.columns.some((name) => isNamed(one, name)))
    .map(({ name }) => name)
  if (sources.length < read.columns.length) return undefined
  const several = read.columns.find((name) => alike(file, name).length > 1)
  if (several !== undefined) return unclear(column, several)
  const source = nulled(column, `(${expr})`, read.type)
  const tried = `try({v: ${source}})`
  if (read.type === 'VARCHAR') {
    const marked = `case when ${tried} is null then '(an expression that fails)' else ${tried}.v end`
    return readText(column, sources, {
      text: marked,
      value: castText(column.type, `${tried}.v`, csvOf(figura)),
    })
  }
  const expression = fitType(column.type, read.type, `${tried}.v`)
  if (expression === undefined) return misfit(column, { name: expr, type: read.type })
  const text = `case when ${tried} is null then 'an expression that fails' end`
  return readText(column, sources, { text, value: expression })
}

function readText(column: Column, sources: string[], read: { text: string; value: string }): FittedColumn {
  return { column, sources, expression: read.value, read: read.text === read.value ? undefined : read }
}

/** A value of a type of DuckDB, or null where its text is one of those that stand for null. */
function nulled(column: Column, value: string, type: string): string {
  const text = `cast(${value} as VARCHAR)`
  return nulledBy(column, value, type === 'JSON' ? jsonTextSql(text) : text)
}

function nulledBy({ nullIf }: Column, value: string, text: string): string {
  if (!nullIf?.length) return value
  return `case when ${text} in (${nullIf.map(duckLiteral).join(', ')}) then null else ${value} end`
}

/** What a loose value is read from: its text, or its JSON where the type is made of it. */
function looseText(column: Column, { name, json }: FileColumn): string {
  const text = quote(name)
  const { kind } = column.type
  if (json === undefined || (kind !== 'array' && kind !== 'jsonb')) return nulledBy(column, text, text)
  return nulledBy(column, kind === 'array' ? `cast(${quote(json)} as JSON)` : quote(json), text)
}

function withDefault(column: Column, expression: string): string {
  if (column.default === undefined) return expression
  return `coalesce(${expression}, ${literal(column, column.default)})`
}

/** A value of the figura's file as one of the column's type. */
export function literal({ type }: Pick<Column, 'type'>, value: string | number | boolean): string {
  return `cast(${duckLiteral(String(value))} as ${duckType(type)})`
}

/** Whether the row is gone, as a column of the file says. */
function fitMarker(from: string, file: FileColumn[]): FittedColumn | Difference {
  const column: Column = { name: GONE_COLUMN, type: { kind: 'boolean' }, required: false, from }
  const found = findColumn(file, from)
  if (found === 'unclear') return unclear(column, from)
  if (!found) return missing(column, file)
  if (!found.loose && found.type !== 'BOOLEAN') return misfit(column, found)
  const text = quote(found.name)
  const sources = [found.name]
  if (!found.loose) return { column, sources, expression: `coalesce(${text}, false)` }
  const value = `try_cast(${text} as BOOLEAN)`
  return { column, sources, expression: `coalesce(${value}, false)`, read: { text, value } }
}

/** What only the file has: refused, or gathered in one column. */
function fitExtra(
  figura: Figura,
  file: FileColumn[],
  expressions: Expressions,
): (FittedColumn | Difference)[] {
  const column = keptColumn(figura)
  if (!column && figura.extra !== 'refuse') return []
  const { deleteMarker } = loadOf(figura)
  const known = [
    ...figura.columns.flatMap(({ expr, from, aliases = [] }) =>
      expr === undefined ? [from, ...aliases] : (expressions.get(expr)?.columns ?? []),
    ),
    ...(deleteMarker ? [deleteMarker.from] : []),
  ]
  const only = file.filter((column) => !known.some((name) => isNamed(column, name)))
  if (!column) return only.map(unknown)
  const fields = only.map((one) => ({ ...one, key: one.written ?? one.name }))
  const expression = fields.length ? jsonObject(fields) : 'null::VARCHAR'
  return [{ column, sources: only.map(({ name }) => name), expression }]
}

/** Columns that say what a file replaces: one that lacks them speaks for nothing. Those required are told of anyway. */
function lackingScope(figura: Figura, columns: FittedColumn[]): Column[] {
  const { scope } = loadOf(figura)
  const fitted = columns.map(({ column }) => column.name)
  return figura.columns.filter(
    ({ name, required }) => scope.includes(name) && !required && !fitted.includes(name),
  )
}

/** The place of a row in its job, by which the rows with one key are told apart. */
function rowColumn(file: number): FittedColumn {
  const column: Column = { name: ROW_COLUMN, type: { kind: 'bigint' }, required: false, from: ROW_NUMBER }
  return { column, sources: [], expression: `(${ROW_NUMBER} + ${file * FILE_ROWS})::BIGINT` }
}

/** The name as it stands; else the one name that differs by case alone. A column that DuckDB renamed is not read. */
function findColumn(file: FileColumn[], name: string): FileColumn | 'unclear' | undefined {
  const all = alike(file, name)
  const exact = all.filter(({ name: read, written = read }) => written === name)
  const [found, other] = exact.length ? exact : all
  if (!found) return undefined
  return other || (found.written ?? found.name) !== found.name ? 'unclear' : found
}

/** The columns of that name, upper and lower case taken as one. */
function alike(file: FileColumn[], name: string): FileColumn[] {
  return file.filter(({ name: read, written = read }) => isNamed({ name: written }, name))
}

function missing(column: Column, file: FileColumn[]): Difference {
  // letters of another case are no slip: the reader takes them for the same
  const names = new Map(file.map(({ name }) => [name.toLowerCase(), name]))
  const meant = nearest(column.from.toLowerCase(), [...names.keys()])
  const header = undividedHeader(file)
  const only = header && `, whose only column is "${header}"`
  const hint = only ?? (meant === undefined ? '' : ` (did you mean "${names.get(meant)}"?)`)
  return {
    column: column.name,
    found: `no column "${column.from}" in the file${hint}`,
    expected: typeName(column.type),
    fix: header
      ? 'write the delimiter that csv of the figura has (a comma where it has none), or have it set to yours'
      : `write a column "${column.from}", or set its other name in the figura with "from"`,
  }
}

/** The header of a CSV file that was written with another delimiter: all of it is one name. */
function undividedHeader(file: FileColumn[]): string | undefined {
  const [only] = file
  const isHeader = file.length === 1 && only?.loose && only.json === undefined && /[,;|\t]/.test(only.name)
  return isHeader ? only.name : undefined
}

function unknown({ name, type, written = name }: FileColumn): Difference {
  return {
    column: written,
    found: `a column "${written}" of type ${type}`,
    expected: 'none that the figura does not have (extra: refuse)',
    fix: 'leave the column out of the file, or have it added to the figura',
  }
}

function reserved({ name }: FileColumn): Difference {
  return {
    column: name,
    found: `a column "${name}" in the file`,
    expected: 'none of this name, by which the reader counts the rows',
    fix: 'leave the column out of the file, or write it by another name',
  }
}

function unclear(column: Column, name: string): Difference {
  return {
    column: column.name,
    found: `several columns called "${name}", or so but for upper and lower case`,
    expected: 'one',
    fix: `write one column "${name}", and give the others names of their own`,
  }
}

function misfit(column: Column, found: FileColumn): Difference {
  const fitting = figuraTypeFor(found.type)
  return {
    column: column.name,
    found: `"${found.name}" of type ${found.type}`,
    expected: typeName(column.type),
    fix:
      `write it as ${duckType(column.type)}` +
      (fitting ? `, or declare the column as ${fitting}` : ', which is what the figura declares'),
  }
}
