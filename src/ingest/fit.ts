import type { Difference } from '../errors.ts'
import { nearest } from '../figura/nearest.ts'
import { typeName } from '../figura/type-names.ts'
import type { Column, ColumnType, Figura, ScalarType } from '../figura/types.ts'
import { quote } from '../quote.ts'
import { duckType } from './sql.ts'

/**
 * A top-level column of the file; `type` is DuckDB's name for it, such as `DECIMAL(15,2)` or `VARCHAR[]`.
 * `written`: its name in the file, where two differ in case alone or not at all: DuckDB reads one by another name.
 */
export type FileColumn = { name: string; type: string; written?: string; loose?: boolean }

/** A column of the figura that the file has, and the DuckDB expression that gives it in the type that is encoded. */
export type FittedColumn = { column: Column; fileColumn: string; expression: string }

type Fit = { columns: FittedColumn[]; differences: Difference[] }

/**
 * Compares the file's columns with the figura, by name. A type fits when it can hold every value that the file's
 * type can: nothing is ever rounded, cut or guessed. Optional columns that the file lacks are left out; columns
 * that only the file has are not read. All differences come at once.
 */
export function fitColumns(figura: Figura, file: FileColumn[]): Fit {
  const columns: FittedColumn[] = []
  const differences: Difference[] = []
  const counter = file.find((column) => column.name.toLowerCase() === ROW_NUMBER)
  if (counter) differences.push(reserved(counter))
  for (const column of figura.columns) {
    const found = findColumn(file, column.from)
    if (found === 'unclear') {
      differences.push(unclear(column))
      continue
    }
    if (!found) {
      if (column.required) differences.push(missing(column, file))
      continue
    }
    const expression = found.loose
      ? `cast(${found.type === 'JSON' ? `json_extract_string(${quote(found.name)}, '$')` : quote(found.name)} as ${duckType(column.type)})`
      : fitType(column.type, found.type, quote(found.name))
    if (expression === undefined) differences.push(misfit(column, found))
    else columns.push({ column, fileColumn: found.name, expression })
  }
  return { columns, differences }
}

/** What DuckDB calls the number of a row, by which chunks are read. It refuses a file with such a column. */
const ROW_NUMBER = 'file_row_number'

/** The name as it stands; else the one name that differs by case alone. A column that DuckDB renamed is not read. */
function findColumn(file: FileColumn[], name: string): FileColumn | 'unclear' | undefined {
  const alike = file.filter(({ name: read, written = read }) => written.toLowerCase() === name.toLowerCase())
  const exact = alike.filter(({ name: read, written = read }) => written === name)
  const [found, other] = exact.length ? exact : alike
  if (!found) return undefined
  return other || (found.written ?? found.name) !== found.name ? 'unclear' : found
}

/** The expression that reads `fileType` as `type` without loss, or undefined when there is none. */
function fitType(type: ColumnType, fileType: string, source: string): string | undefined {
  if (type.kind === 'array') {
    const inner = /^(.*)\[\d*\]$/s.exec(fileType)?.[1]
    if (inner === undefined || fitType(type.of, inner, source) === undefined) return undefined
    return fileType === duckType(type) ? source : cast(source, type)
  }
  if (type.kind === 'jsonb') return fitJson(fileType, source)
  if (!fitsScalar(type, fileType)) return undefined
  return fileType === duckType(type) ? source : cast(source, type)
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

function missing(column: Column, file: FileColumn[]): Difference {
  // letters of another case are no slip: the reader takes them for the same
  const names = new Map(file.map(({ name }) => [name.toLowerCase(), name]))
  const meant = nearest(column.from.toLowerCase(), [...names.keys()])
  const hint = meant === undefined ? '' : ` (did you mean "${names.get(meant)}"?)`
  return {
    column: column.name,
    found: `no column "${column.from}" in the file${hint}`,
    expected: typeName(column.type),
    fix: `write a column "${column.from}", or set its other name in the figura with "from"`,
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

function unclear(column: Column): Difference {
  return {
    column: column.name,
    found: `several columns called "${column.from}", or so but for upper and lower case`,
    expected: 'one',
    fix: `write one column "${column.from}", and give the others names of their own`,
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

/** The figura's type that holds a file's type, to be named in an error. */
function figuraTypeFor(fileType: string): string | undefined {
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
