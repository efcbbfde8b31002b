import { quote } from '../quote.ts'
import { jsonTextSql } from './sql-formats.ts'

/** A column of a file, by its name and DuckDB's type; `json`: of a text, the column beside it that has it as JSON. */
type Written = { name: string; type: string; json?: string }

/** A value of a file as people are told it, as text: what is nested is JSON. */
export function writtenText(column: Written): string {
  if (column.type === 'JSON') return jsonTextSql(writtenJson(column))
  return isNested(column) ? writtenJson(column) : `cast(${quote(column.name)} as VARCHAR)`
}

/**
 * The same as JSON. A plain value is its text: DuckDB writes a number of JSON another way, -1.50 as -1.5 and a float of
 * 0.1 as 0.10000000149011612.
 */
export function writtenJson(column: Written): string {
  if (column.json !== undefined) return quote(column.json)
  const value = quote(column.name)
  if (column.type === 'JSON') return `cast(${value} as VARCHAR)`
  return `cast(to_json(${isNested(column) ? value : `cast(${value} as VARCHAR)`}) as VARCHAR)`
}

function isNested({ type }: Written): boolean {
  return type.endsWith(']') || /^(STRUCT|MAP|UNION)\(/.test(type)
}
