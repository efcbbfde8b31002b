import type { Csv } from '../figura/types.ts'
import { duckLiteral, quote } from '../quote.ts'

/** Records of a file in a local CSV without a header. */
export type LocalSegment = {
  path: string
  /** Fields of each record. */
  fields: number
  /** Bytes of the longest record. */
  longest: number
  /** The number of its first row in the file, from 0. */
  rowStart: number
  csv: Pick<Csv, 'delimiter' | 'quote' | 'nullText'>
}

/** A column of the file: SQL over the fields of a segment, see fieldSql(). */
export type SegmentColumn = { name: string; expression: string }

/** A field of a segment, as text. */
export function fieldSql(field: number): string {
  return `f${field}`
}

/**
 * A value of JSON as text: a string without its quotes, all else as it stands. A number keeps its digits, of which
 * DuckDB's functions of JSON would leave 17.
 */
export function jsonTextSql(json: string): string {
  return `case when starts_with(${json}, '"') then json_extract_string(${json}, '$') else ${json} end`
}

/** A segment as a relation: columns of the file, and file_row_number. */
export function segmentRelation(segment: LocalSegment, columns: SegmentColumn[]): string {
  const named = columns.map(({ name, expression }) => `${expression} as ${quote(name)}`)
  const counted = `row_number() over () - 1 + ${segment.rowStart} as file_row_number`
  return `(select ${[...named, counted].join(', ')} from ${readSegment(segment)})`
}

/**
 * The rows of a segment, which was checked already: DuckDB is told all, and guesses nothing. Its buffer has to hold
 * the longest line; the default would be 32 MB of memory for each read.
 */
function readSegment({ path, fields, longest, csv }: LocalSegment): string {
  const types = Array.from({ length: fields }, (_, at) => `${fieldSql(at)}: 'VARCHAR'`)
  const lineBytes = Math.max(longest + 1024, 64 * 1024)
  const options = {
    columns: `{${types.join(', ')}}`,
    auto_detect: 'false',
    header: 'false',
    delim: duckLiteral(csv.delimiter),
    quote: duckLiteral(csv.quote),
    escape: duckLiteral(csv.quote),
    nullstr: duckLiteral(csv.nullText),
    allow_quoted_nulls: 'false',
    strict_mode: 'true',
    null_padding: 'false',
    parallel: 'false',
    new_line: duckLiteral('\\n'),
    max_line_size: lineBytes,
    buffer_size: Math.max(lineBytes * 2, 4 * 1024 * 1024),
  }
  const list = Object.entries(options).map(([name, value]) => `${name} = ${value}`)
  return `read_csv(${duckLiteral(path)}, ${list.join(', ')})`
}
