import duckdb, { type DataChunk } from '@duckdb/node-bindings'
import type { Bounds } from '../config.ts'
import type { Duckdb } from '../db/duckdb.ts'
import { BulkError } from '../errors.ts'
import { readVector } from './column.ts'
import type { FileColumn } from './fit.ts'
import type { Part } from './formats/stream.ts'
import { columnChunksSql, describeSql, schemaSql } from './sql-duckdb.ts'

/**
 * What is known of a file before its rows are read. Of a parquet file that is what its footer says: sizes in bytes,
 * uncompressed. Other files have no row groups, and the rows of a large one are UNKNOWN_ROWS until all is read.
 */
export type FileShape = {
  columns: FileColumn[]
  rowGroups: { rows: number; bytes: number }[]
  rows: number
  /** Of a file without row groups: the parts that can be read by themselves. */
  parts?: Part[]
}

/** As the end of a chunk too: up to the end of the file, wherever that is. */
export const UNKNOWN_ROWS = Number.MAX_SAFE_INTEGER

/**
 * Where the pages of each column stand: those of column `c` of row group `g` from `starts[g * columns + c]` to
 * `ends[…]`, exclusive. Two numbers for each, since a file can have a million of them.
 */
export type Places = { starts: number[]; ends: number[] }

/**
 * Reads the footer of the local file, once; none of the file's data needs to be there.
 * @throws BulkError `file_too_large` for too many columns, or too many bytes uncompressed
 */
export async function readShape(
  duck: Duckdb,
  path: string,
  { name, bounds }: { name: string; bounds: Caps },
): Promise<{ shape: FileShape; places: Places }> {
  const described = await duck.query<{ name: string; type: string }>(describeSql(path))
  refuseColumns(name, described.length, bounds)
  const { names, columnOf } = readTree(await duck.query<SchemaNode>(schemaSql(path)))
  const columns = described.map((column, at) => ({ ...column, written: names[at] ?? column.name }))
  const rowGroups: FileShape['rowGroups'] = []
  const places: Places = { starts: [], ends: [] }
  for await (const chunk of duck.stream(columnChunksSql(path))) {
    const count = duckdb.data_chunk_get_size(chunk)
    const [groups, leaves, rows, bytes, starts, ends] = [0, 1, 2, 3, 4, 5].map((at) =>
      doubles(chunk, at, count),
    )
    for (let row = 0; row < count; row++) {
      const group = (rowGroups[groups![row]!] ??= { rows: rows![row]!, bytes: 0 })
      group.bytes += bytes![row]!
      const place = groups![row]! * columns.length + (columnOf[leaves![row]!] ?? 0)
      places.starts[place] = Math.min(places.starts[place] ?? Infinity, starts![row]!)
      places.ends[place] = Math.max(places.ends[place] ?? 0, ends![row]!)
    }
  }
  refuseExpanded(name, rowGroups, bounds)
  return { shape: { columns, rowGroups, rows: rowGroups.reduce((sum, { rows }) => sum + rows, 0) }, places }
}

type Caps = Pick<Bounds, 'fileColumns' | 'fileExpandedBytes'>

/** @throws BulkError `file_too_large` for a file of so many columns that only to look at them would take minutes */
export function refuseColumns(name: string, columns: number, { fileColumns }: Caps): void {
  if (columns <= fileColumns) return
  throw new BulkError('file_too_large', {
    subject: name,
    found: `${columns} columns`,
    expected: `at most ${fileColumns} (FILE_MAX_COLUMNS)`,
    action: 'Write a file with the columns of the figura.',
  })
}

function refuseExpanded(name: string, groups: FileShape['rowGroups'], { fileExpandedBytes }: Caps): void {
  const bytes = groups.reduce((sum, group) => sum + group.bytes, 0)
  if (bytes <= fileExpandedBytes) return
  throw new BulkError('file_too_large', {
    subject: name,
    found: `${bytes} bytes uncompressed, as the footer says`,
    expected: `at most ${fileExpandedBytes} (FILE_EXPANDED_MAX_GB)`,
  })
}

type SchemaNode = { name: string; children: number }

/**
 * The names of the columns as the file has them: DuckDB calls the second of `ID` and `id` by another name, `id_1`.
 * And to which column each leaf belongs, in the order in which the footer counts them: a struct has several.
 */
function readTree(nodes: SchemaNode[]): { names: string[]; columnOf: number[] } {
  const names: string[] = []
  const columnOf: number[] = []
  let below = 0
  for (const { name, children } of nodes.slice(1)) {
    if (below === 0) names.push(name)
    else below--
    below += children
    if (children === 0) columnOf.push(names.length - 1)
  }
  return { names, columnOf }
}

function doubles(chunk: DataChunk, column: number, count: number): Float64Array {
  const { data } = readVector(duckdb.data_chunk_get_vector(chunk, column), count, 8)
  return new Float64Array(data.buffer, data.byteOffset, count)
}
