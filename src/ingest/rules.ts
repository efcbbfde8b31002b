import { typeName } from '../figura/type-names.ts'
import type { Figura } from '../figura/types.ts'
import { duckLiteral, quote } from '../quote.ts'
import { leavesOut } from './duplicates.ts'
import { type Expressions, isNamed } from './expression.ts'
import { type FileColumn, type FittedColumn, literal } from './fit.ts'
import { typeRules } from './rules-types.ts'
import { duckType, GONE_COLUMN } from './sql.ts'
import type { Text } from './sql-duckdb.ts'

/**
 * Something that a row may break. The predicates and values are SQL over the relation of selectedSql(): the value of
 * column n is _bulk_c<n>, as people are told it _bulk_s<n>, the text it is read from _bulk_t<n>, what was read of it
 * _bulk_x<n>, and columns that checks name stand under their own names too.
 */
export type Rule = {
  /** The column of the table; null: the row as a whole. */
  column: string | null
  rule: string
  /** True where a row breaks it; null counts as false. */
  breaks: string
  /** What to say of the value, in words; absent: the value itself is shown. */
  found?: string
  expected: string
  /** The value, as text; null where it may not be shown. */
  shown: string | null
}

/** How the rows of a file are read: which columns, and which rows are left out. */
export type Reading = {
  columns: FittedColumn[]
  /** Those that are looked at while rows are read; what the others forbid, PostgreSQL refuses. */
  rules: Rule[]
  /** All that a row is told of that breaks one. */
  told: Rule[]
  /** What checks name, under its own name: the value of a column, or null where the file lacks it. */
  named: { name: string; value: string }[]
  /** Columns of the file that are read, and whose values may have any length. */
  texts: Text[]
  /** Columns of the file that are kept of a row that is left out. */
  recorded: FileColumn[]
}

/** Decides how the rows of a file are read. */
export function planReading(
  figura: Figura,
  columns: FittedColumn[],
  { file, expressions }: { file: FileColumn[]; expressions: Expressions },
): Reading {
  const named = columns.map((fitted, at) => ({ fitted, value: `_bulk_c${at}`, at }))
  const rulesOf = (all: boolean) => [
    ...named.flatMap((one) => [
      ...conversionRule(one),
      ...(all ? nullRule(one) : []),
      ...valueRules(one),
      ...(all ? typeRules(one.fitted.column, one.value) : []),
    ]),
    ...Object.entries(figura.checks ?? {}).map(([name, check]) => rowRule(name, check)),
  ]
  const told = rulesOf(true)
  const rules = leavesOut(figura) ? told : rulesOf(false)
  const hidden = new Set(columns.flatMap(({ column, sources }) => (column.sensitive ? sources : [])))
  const read = new Set(columns.flatMap(({ sources }) => sources))
  const recorded = file.filter(({ name }) => read.has(name) && !hidden.has(name))
  const texts = file.filter(({ name }) => read.has(name)).flatMap(textsOf)
  return { columns, rules, told, named: namedOf(figura, columns, expressions), texts, recorded }
}

function textsOf({ name, type, json }: FileColumn): Text[] {
  const binary = type === 'BLOB'
  const own = binary || type === 'VARCHAR' || type === 'JSON' ? [{ expression: quote(name), binary }] : []
  return json === undefined ? own : [...own, { expression: quote(json), binary: false }]
}

/** The columns of the file that are needed. */
export function sourcesOf(columns: FittedColumn[]): string[] {
  return [...new Set(columns.flatMap(({ sources }) => sources))]
}

type Named = { fitted: FittedColumn; value: string; at: number }

/** A text that is no value of the column's type. */
function conversionRule({ fitted: { column, read }, at }: Named): Rule[] {
  if (!read) return []
  const breaks = `_bulk_t${at} is not null and _bulk_x${at} is null`
  const shown = column.sensitive ? null : `_bulk_t${at}`
  // of a marker people know the name in the file alone
  const name = column.name === GONE_COLUMN ? column.from : column.name
  return [{ column: name, rule: 'type', breaks, expected: typeName(column.type), shown }]
}

/** What is no value of the type is told of as that alone. */
function nullRule({ fitted: { column, read }, value, at }: Named): Rule[] {
  if (!column.required) return []
  const breaks = read ? `${value} is null and _bulk_t${at} is null` : `${value} is null`
  return [{ column: column.name, rule: 'required', breaks, found: 'null', expected: 'a value', shown: null }]
}

function valueRules({ fitted: { column }, value, at }: Named): Rule[] {
  const { pattern, min, max, maxLength, check, sensitive } = column
  const rules: Rule[] = []
  const rule = (name: string, breaks: string, expected: string) =>
    rules.push({
      column: column.name,
      rule: name,
      breaks,
      expected,
      found: sensitive ? 'a value that is not shown' : undefined,
      shown: sensitive ? null : `_bulk_s${at}`,
    })
  if (pattern !== undefined)
    rule('pattern', `not regexp_matches(${value}, ${duckLiteral(pattern)})`, `a text like ${pattern}`)
  if (column.enum !== undefined) {
    const list = column.enum.map((one) => literal(column, one)).join(', ')
    const trimmed = column.type.kind === 'char' ? `rtrim(${value}, ' ')` : value
    rule('enum', `${trimmed} not in (${list})`, `one of ${column.enum.slice(0, 30).join(', ')}`)
  }
  if (min !== undefined) rule('min', `${value} < ${literal(column, min)}`, `at least ${min}`)
  if (max !== undefined) rule('max', `${value} > ${literal(column, max)}`, `at most ${max}`)
  if (maxLength !== undefined)
    rule('max_length', `length(${value}) > ${maxLength}`, `at most ${maxLength} characters`)
  if (check !== undefined) rule('check', fails(check), check)
  return rules
}

function rowRule(name: string, check: string): Rule {
  return {
    column: null,
    rule: name,
    breaks: fails(check),
    found: 'a row that breaks it',
    expected: check,
    shown: null,
  }
}

/** A check that cannot be worked out for a value is not passed; one that gives null is. */
function fails(check: string): string {
  const tried = `try({v: (${check})})`
  return `coalesce(not ${tried}.v, ${tried} is null)`
}

function namedOf(figura: Figura, columns: FittedColumn[], expressions: Expressions): Reading['named'] {
  const checks = [
    ...figura.columns.flatMap(({ check }) => check ?? []),
    ...Object.values(figura.checks ?? {}),
  ]
  const names = checks.flatMap((check) => expressions.get(check)?.columns ?? [])
  return figura.columns
    .filter((column) => names.some((name) => isNamed(column, name)))
    .map(({ name, type }) => {
      const fitted = columns.find(({ column }) => column.name === name)
      return { name, value: fitted?.expression ?? `null::${duckType(type)}` }
    })
}
