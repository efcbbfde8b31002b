import type { ColumnType, ScalarType } from '../figura/types.ts'
import { duckLiteral, quote } from '../quote.ts'
import { duckType } from './sql.ts'

/** The expression that reads `source`, of DuckDB's type `fileType`, as `type` without loss, if there is one. */
export function fitType(type: ColumnType, fileType: string, source: string): string | undefined {
  if (type.kind === 'array') {
    const inner = /^(.*)\[\d*\]$/s.exec(fileType)?.[1]
    if (inner === undefined || fitType(type.of, inner, source) === undefined) return undefined
    return fileType === duckType(type) ? source : cast(source, type)
  }
  if (type.kind === 'jsonb') return fitJson(fileType, source)
  if (!fitsScalar(type, fileType)) return undefined
  return fileType === duckType(type) ? source : cast(source, type)
}

/** Whether the last years of the file's type are beyond those of the column's: its cast to microseconds is an error. */
export function isNarrow({ kind }: ColumnType, fileType: string): boolean {
  return kind.startsWith('timestamp') && /^(DATE|TIMESTAMP_S|TIMESTAMP_MS)$/.test(fileType)
}

function cast(source: string, type: ColumnType): string {
  return `cast(${source} as ${duckType(type)})`
}

function fitJson(fileType: string, source: string): string | undefined {
  if (fileType === 'VARCHAR') return source
  if (fileType === 'JSON') return `cast(${source} as VARCHAR)`
  const nested = /^(STRUCT|MAP)\(/.test(fileType) || /\[\d*\]$/.test(fileType)
  return nested ? `cast(to_json(${source}) as VARCHAR)` : undefined
}

/** Bits that the values of a whole-number type need as a signed number, and their decimal digits. */
const WHOLE_NUMBERS: Record<string, { bits: number; digits: number }> = {
  TINYINT: { bits: 8, digits: 3 },
  UTINYINT: { bits: 9, digits: 3 },
  SMALLINT: { bits: 16, digits: 5 },
  USMALLINT: { bits: 17, digits: 5 },
  INTEGER: { bits: 32, digits: 10 },
  UINTEGER: { bits: 33, digits: 10 },
  BIGINT: { bits: 64, digits: 19 },
  UBIGINT: { bits: 65, digits: 20 },
  HUGEINT: { bits: 128, digits: 39 },
  UHUGEINT: { bits: 129, digits: 39 },
}

/** Bits of a whole number that the type holds exactly (a float by its mantissa, IEEE 754). */
const WHOLE_BITS = { smallint: 16, integer: 32, bigint: 64, real: 25, 'double precision': 54 } as const

/** Nines that surely fit: 10^4 < 2^15, 10^9 < 2^31, 10^18 < 2^63. */
const WHOLE_DIGITS = { smallint: 4, integer: 9, bigint: 18 } as const

function fitsScalar(type: ScalarType, fileType: string): boolean {
  const whole = WHOLE_NUMBERS[fileType]
  const decimal = parseDecimal(fileType)
  switch (type.kind) {
    case 'boolean':
      return fileType === 'BOOLEAN'
    case 'smallint':
    case 'integer':
    case 'bigint':
      if (decimal) return decimal.scale === 0 && decimal.precision <= WHOLE_DIGITS[type.kind]
      return whole !== undefined && whole.bits <= WHOLE_BITS[type.kind]
    case 'real':
      return fileType === 'FLOAT' || (whole !== undefined && whole.bits <= WHOLE_BITS.real)
    case 'double precision':
      return (
        /^(DOUBLE|FLOAT)$/.test(fileType) ||
        (whole !== undefined && whole.bits <= WHOLE_BITS['double precision'])
      )
    case 'numeric': {
      const digits = type.precision - type.scale
      if (whole) return whole.digits <= digits
      return (
        decimal !== undefined && decimal.scale <= type.scale && decimal.precision - decimal.scale <= digits
      )
    }
    case 'text':
    case 'varchar':
    case 'char':
      return /^(VARCHAR|UUID|JSON)$/.test(fileType) || fileType.startsWith('ENUM(')
    case 'date':
      return fileType === 'DATE'
    case 'time':
      return fileType === 'TIME' || fileType === 'TIME_NS'
    case 'timestamp':
      return fileType === 'DATE' || /^TIMESTAMP(_S|_MS|_NS)?$/.test(fileType)
    case 'timestamptz':
      // a time without a zone is taken as UTC: pandas and Spark write UTC without saying so
      return fileType === 'TIMESTAMP WITH TIME ZONE' || /^TIMESTAMP(_S|_MS|_NS)?$/.test(fileType)
    case 'uuid':
      return fileType === 'UUID' || fileType === 'VARCHAR'
    case 'bytea':
      return fileType === 'BLOB'
    case 'jsonb':
      return false
  }
}

function parseDecimal(fileType: string): { precision: number; scale: number } | undefined {
  const match = /^DECIMAL\((\d+),(\d+)\)$/.exec(fileType)
  return match ? { precision: Number(match[1]), scale: Number(match[2]) } : undefined
}

/** The figura's type that holds a file's type, to be named in an error. */
export function figuraTypeFor(fileType: string): string | undefined {
  const list = /^(.*)\[\d*\]$/s.exec(fileType)?.[1]
  if (list !== undefined) {
    const inner = figuraTypeFor(list)
    return inner && inner !== 'jsonb' ? `${inner}[]` : 'jsonb'
  }
  const decimal = parseDecimal(fileType)
  if (decimal) return `numeric(${decimal.precision},${decimal.scale})`
  if (/^(STRUCT|MAP)\(/.test(fileType)) return 'jsonb'
  if (fileType.startsWith('TIMESTAMP')) return fileType.includes('ZONE') ? 'timestamptz' : 'timestamp'
  if (fileType.startsWith('ENUM(')) return 'text'
  return FIGURA_TYPES[fileType]
}

const FIGURA_TYPES: Record<string, string> = {
  BOOLEAN: 'boolean',
  TINYINT: 'smallint',
  UTINYINT: 'smallint',
  SMALLINT: 'smallint',
  USMALLINT: 'integer',
  INTEGER: 'integer',
  UINTEGER: 'bigint',
  BIGINT: 'bigint',
  UBIGINT: 'numeric(20,0)',
  FLOAT: 'real',
  DOUBLE: 'double precision',
  VARCHAR: 'text',
  JSON: 'jsonb',
  UUID: 'uuid',
  DATE: 'date',
  TIME: 'time',
  BLOB: 'bytea',
}

/**
 * Columns of a row as the text of one object. It is put together here: as a struct DuckDB would refuse keys that differ
 * in case alone, and it reads numbers of JSON anew, as doubles.
 */
export function jsonObject(fields: Field[], text: (field: Field) => string = jsonText): string {
  const texts = fields.map((field) => {
    const key = duckLiteral(`${JSON.stringify(field.key)}:`)
    return `${key} || coalesce(${text(field)}, 'null')`
  })
  return texts.length ? `'{' || concat_ws(',', ${texts.join(', ')}) || '}'` : `'{}'`
}

/** A column under its key; `json`: another column that has its JSON. */
type Field = { key: string; name: string; type: string; json?: string }

/** A value as JSON, which has no NaN and no infinity: DuckDB writes them there all the same. */
function jsonText({ name, type, json: written }: Field): string {
  if (written !== undefined) return quote(written)
  const value = quote(name)
  if (type === 'JSON') return `cast(${value} as VARCHAR)`
  const json = `cast(to_json(${value}) as VARCHAR)`
  if (!/^(FLOAT|DOUBLE)$/.test(type)) return json
  return `case when isfinite(${value}) then ${json} else cast(to_json(cast(${value} as VARCHAR)) as VARCHAR) end`
}
