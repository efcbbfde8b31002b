import type { ColumnType, Csv, ScalarType } from '../figura/types.ts'
import { duckLiteral } from '../quote.ts'
import { duckType } from './sql.ts'

/**
 * Reads a text of a CSV or NDJSON file as a type: the expression is null where the text is no such value. Nothing is
 * rounded, and only one way of writing is taken where two could be meant.
 * @param text the SQL of the text, null where there is no value
 */
export function castText(type: ColumnType, text: string, { decimal }: Pick<Csv, 'decimal'>): string {
  const trimmed = `trim(${text})`
  switch (type.kind) {
    case 'text':
    case 'varchar':
    case 'char':
    case 'jsonb':
      return text
    case 'array':
      return list(type.of, `try_cast(${text} as VARCHAR[])`, decimal)
    case 'smallint':
    case 'integer':
    case 'bigint':
      return where(`^[+-]?\\d+$`, trimmed, tried(trimmed, type))
    case 'numeric':
      return numeric(type, decimal === ',' ? `replace(${trimmed}, ',', '.')` : trimmed)
    case 'real':
    case 'double precision':
      return tried(decimal === ',' ? `replace(${trimmed}, ',', '.')` : trimmed, type)
    case 'date':
      return where(`^\\d{4,6}-\\d{2}-\\d{2}$`, trimmed, tried(trimmed, type))
    case 'time':
      return where(`^\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?$`, trimmed, tried(trimmed, type))
    case 'timestamp':
      return where(`${DATE_TIME}$`, trimmed, tried(trimmed, type))
    case 'timestamptz':
      return where(
        `${DATE_TIME} ?(Z|[+-]\\d{2}(:?\\d{2})?)?$`,
        trimmed,
        `try_cast(${trimmed} as TIMESTAMPTZ)`,
      )
    case 'bytea':
      return `case when starts_with(${text}, '\\x') then try(unhex(substr(${text}, 3)))
        else try(from_base64(${text})) end`
    case 'boolean':
    case 'uuid':
      return tried(trimmed, type)
  }
}

/** A day alone is midnight. */
const DATE_TIME = `^\\d{4,6}-\\d{2}-\\d{2}([T ]\\d{2}:\\d{2}(:\\d{2}(\\.\\d{1,9})?)?)?`

/** DuckDB's casts round 1.555 to 1.56: more digits after the point than the type has are refused, but for zeros. */
function numeric({ scale, ...type }: Extract<ScalarType, { kind: 'numeric' }>, text: string): string {
  return where(`^[+-]?\\d*(\\.\\d{0,${scale}}0*)?$`, text, tried(text, { ...type, scale }))
}

/** A list of which an element is no such value is none. */
function list(of: ScalarType, texts: string, decimal: Csv['decimal']): string {
  const values = `list_transform(${texts}, one -> ${castText(of, 'one', { decimal })})`
  return `case when list_count(${texts}) = list_count(${values}) then ${values} end`
}

function where(pattern: string, text: string, value: string): string {
  return `case when regexp_matches(${text}, ${duckLiteral(pattern)}) then ${value} end`
}

function tried(text: string, type: ColumnType): string {
  return `try_cast(${text} as ${duckType(type)})`
}
