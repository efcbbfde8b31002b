import { statSync } from 'node:fs'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { parseType, typeName } from '../src/figura/type-names.ts'
import type { ColumnType } from '../src/figura/types.ts'
import { duckType } from '../src/ingest/sql.ts'
import { duckLiteral, quote } from '../src/quote.ts'

/**
 * A column of the file to be: its name in the JSON and in the file, and its type as the figura declares it.
 */
export type FileColumn = { name: string; type: string; required: boolean }

export type Converted = {
  rows: number
  bytes: number
  rowGroups: number
  /** Fields of the JSON that the figura does not have: they are left out. */
  unknown: string[]
  /** Columns of the figura that no record has: they are left out too, so that the table keeps what it has there. */
  absent: string[]
}

type Conversion = {
  json: string
  parquet: string
  columns: FileColumn[]
  /** DuckDB makes groups of whole vectors: the number is rounded up to a multiple of 2,048. */
  rowsPerGroup: number
  /** The time zone of times that are written without one. */
  zone: string
}

/**
 * Writes a JSON list of records as parquet, each column in the type that the figura declares. Numbers and
 * dates may be written as texts, and an empty text means null there. In text columns it stays what it is.
 * Beware: JSON numbers of more than 15 digits are not exact in any reader; write such amounts as texts.
 * @throws Error that names the column and the value that does not fit its type, or would be rounded to fit it
 */
export async function jsonToParquet({
  json,
  parquet,
  columns,
  rowsPerGroup,
  zone,
}: Conversion): Promise<Converted> {
  // all that is needed is linked in; a missing extension must not be looked for in the network
  const offline = { autoinstall_known_extensions: 'false', autoload_known_extensions: 'false' }
  const instance = await DuckDBInstance.create(':memory:', offline)
  const connection = await instance.connect()
  try {
    await connection.run(`set TimeZone = ${duckLiteral(zone)}`)
    const fields = await fieldsOf(connection, json, columns)
    const present = columns.filter((column) => !fields.absent.includes(column.name))
    await connection.run(`
      copy (${recordsSql(json, present)}) to ${duckLiteral(parquet)}
      (format parquet, compression zstd, row_group_size ${rowsPerGroup})`)
    return { ...fields, ...(await shapeOf(connection, parquet)), bytes: statSync(parquet).size }
  } catch (error) {
    // DuckDB adds the statement that failed, with a marker below it
    const reason =
      error instanceof Error
        ? error.message.split('\n\nLINE ')[0]?.replace('Invalid Input Error: ', '')
        : String(error)
    throw new Error(`${json}: ${reason}`, { cause: error })
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}

/**
 * Compares the fields of all records with the columns, since a misspelled one would otherwise arrive as null.
 */
async function fieldsOf(connection: DuckDBConnection, json: string, columns: FileColumn[]) {
  const reader = await connection.runAndReadAll(`
    select distinct unnest(json_keys(json)) from read_json_objects(${duckLiteral(json)}, format = 'auto')`)
  const fields = reader.getRows().map(([field]) => String(field))
  if (fields.length === 0) throw new Error('found no record, expected a JSON list of objects')
  const unknown = fields.filter((field) => !columns.some((column) => column.name === field))
  const absent = columns.filter((column) => !fields.includes(column.name))
  const required = absent.filter((column) => column.required).map((column) => column.name)
  if (required.length > 0) {
    throw new Error(
      `found no field ${required.join(', ')}, which the figura requires; it has ${fields.join(', ')}`,
    )
  }
  return { unknown: unknown.sort(), absent: absent.map((column) => column.name) }
}

/** Everything is read as text first: only so are spellings and empty texts in our hands. */
function recordsSql(json: string, columns: FileColumn[]): string {
  const typed = columns.map((column) => ({ ...column, type: typeOf(column) }))
  const read = typed.map(({ name, type }) => `${duckLiteral(name)}: ${duckLiteral(readType(type))}`)
  const selected = typed.map(({ name, type }) => `${valueSql(name, type)} as ${quote(name)}`)
  const list = `read_json(${duckLiteral(json)}, format = 'auto', columns = {${read.join(', ')}})`
  return `select ${selected.join(', ')} from ${list}`
}

function typeOf({ name, type }: FileColumn): ColumnType {
  const parsed = parseType(type)
  if (typeof parsed === 'string') throw new Error(`the type of column ${name}: ${parsed}`)
  return parsed
}

function readType(type: ColumnType): string {
  if (type.kind === 'jsonb') return 'JSON'
  return type.kind === 'array' ? 'VARCHAR[]' : 'VARCHAR'
}

function valueSql(name: string, type: ColumnType): string {
  const source = quote(name)
  const filled = `nullif(trim(${source}), '')`
  const cast = (text: string, to: string) => `try_cast(${text} as ${to})`
  const target = duckType(type)
  switch (type.kind) {
    case 'text':
    case 'varchar':
    case 'char':
      return source
    case 'jsonb':
      return `cast(${source} as ${target})`
    case 'bytea':
      return `from_base64(${filled})`
    case 'array':
      return orError(name, source, cast(source, target), typeName(type))
    case 'smallint':
    case 'integer':
    case 'bigint':
    case 'numeric': {
      // a cast to fewer decimals rounds in silence; beside one with as many as there is room for, that shows
      const decimals = type.kind === 'numeric' ? 38 - (type.precision - type.scale) : 18
      const exact = `${cast(filled, target)} = ${cast(filled, `decimal(38, ${decimals})`)}`
      return orError(
        name,
        filled,
        `case when ${exact} then ${cast(filled, target)} end`,
        `${typeName(type)}, without rounding`,
      )
    }
    default:
      return orError(name, filled, cast(filled, target), typeName(type))
  }
}

/** DuckDB's own messages do not say which column it was. */
function orError(name: string, source: string, value: string, expected: string): string {
  const found = `${duckLiteral(`column ${name}: found `)} || cast(${source} as varchar)`
  const complaint = `${found} || ${duckLiteral(`, expected a value of type ${expected}`)}`
  return `case when ${source} is not null then coalesce(${value}, error(${complaint})) end`
}

async function shapeOf(
  connection: DuckDBConnection,
  parquet: string,
): Promise<{ rows: number; rowGroups: number }> {
  const reader = await connection.runAndReadAll(`
    select num_rows, num_row_groups from parquet_file_metadata(${duckLiteral(parquet)})`)
  const [rows, rowGroups] = reader.getRows()[0] ?? []
  return { rows: Number(rows), rowGroups: Number(rowGroups) }
}
