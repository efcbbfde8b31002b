import type { Bounds } from '../config.ts'
import type { Duckdb } from '../db/duckdb.ts'
import type { Chunk } from '../db/claims.ts'
import { BulkError } from '../errors.ts'
import type { Figura } from '../figura/types.ts'
import { fitColumns, type FileColumn, type FittedColumn } from './fit.ts'
import { columnRangesSql, describeSql, rowGroupsSql, schemaSql } from './sql-duckdb.ts'

/** What the footer of a parquet file says. Sizes in bytes, uncompressed as the footer states them. */
export type FileShape = { columns: FileColumn[]; rowGroups: { rows: number; bytes: number }[]; rows: number }

/** The cut of a file into chunks, and how each column is read. */
type Plan = { columns: FittedColumn[]; chunks: Chunk[] }

/** Reads the footer of the local file; none of its data needs to be there. */
export async function readShape(duckdb: Duckdb, path: string): Promise<FileShape> {
  const described = await duckdb.query<{ name: string; type: string }>(describeSql(path))
  const written = topNames(await duckdb.query<SchemaNode>(schemaSql(path)))
  const columns = described.map((column, at) => ({ ...column, written: written[at] ?? column.name }))
  const groups = await duckdb.query<{ rows: bigint; bytes: bigint }>(rowGroupsSql(path))
  const rowGroups = groups.map((group) => ({ rows: Number(group.rows), bytes: Number(group.bytes) }))
  return { columns, rowGroups, rows: rowGroups.reduce((sum, group) => sum + group.rows, 0) }
}

type SchemaNode = { name: string; children: number }

/** The names of the columns as the file has them: DuckDB calls the second of `ID` and `id` by another name, `id_1`. */
function topNames(nodes: SchemaNode[]): string[] {
  const names: string[] = []
  let below = 0
  for (const { name, children } of nodes.slice(1)) {
    if (below === 0) names.push(name)
    else below--
    below += children
  }
  return names
}

/**
 * Decides how a file is loaded: pure, so that it can be tested as data.
 * @throws BulkError `schema_differs` with every difference, `file_too_large` when the footer says too many rows
 */
export function planFile(
  shape: FileShape,
  { figura, sha256, bounds }: { figura: Figura; sha256: string | null; bounds: Bounds },
): Plan {
  if (shape.rows > bounds.fileRows) {
    throw new BulkError('file_too_large', {
      subject: 'The file',
      found: `${shape.rows} rows`,
      expected: `at most ${bounds.fileRows} (FILE_MAX_ROWS)`,
    })
  }
  return { columns: fitOrRefuse(figura, shape.columns), chunks: cutChunks(shape, { sha256, bounds }) }
}

/** The columns as they are read, or all the differences at once. */
export function fitOrRefuse(figura: Figura, file: FileColumn[]): FittedColumn[] {
  const { columns, differences } = fitColumns(figura, file)
  if (differences.length === 0) return columns
  const names = differences.map((difference) => difference.column).join(', ')
  throw new BulkError(
    'schema_differs',
    {
      subject: `The file for ${figura.name}`,
      found: `${differences.length} column(s) that do not fit (${names})`,
      expected: 'the columns of the figura',
    },
    { differences },
  )
}

/**
 * Cuts a file into chunks of whole row groups, joined while they stay within the bounds; a row group above the
 * bounds is split by rows. The checks come first, so that a repeated key or a wrong digest is known while rows are
 * on their way.
 */
export function cutChunks(
  shape: FileShape,
  { sha256, bounds }: { sha256: string | null; bounds: Bounds },
): Chunk[] {
  const ranges: { rowStart: number; rowEnd: number }[] = []
  let rowStart = 0
  let rowEnd = 0
  let bytes = 0
  const close = () => {
    if (rowEnd > rowStart) ranges.push({ rowStart, rowEnd })
    rowStart = rowEnd
    bytes = 0
  }
  for (const group of shape.rowGroups) {
    const parts = Math.ceil(Math.max(group.rows / bounds.chunkRows, group.bytes / bounds.chunkBytes))
    if (parts > 1) {
      close()
      const step = Math.ceil(group.rows / parts)
      const groupEnd = rowEnd + group.rows
      while (rowEnd < groupEnd) {
        rowEnd = Math.min(rowEnd + step, groupEnd)
        close()
      }
      continue
    }
    if (rowEnd - rowStart + group.rows > bounds.chunkRows || bytes + group.bytes > bounds.chunkBytes) close()
    rowEnd += group.rows
    bytes += group.bytes
  }
  close()
  if (ranges.length === 0) ranges.push({ rowStart: 0, rowEnd: 0 })

  const kinds: Chunk['kind'][] = sha256 ? ['keys', 'digest'] : ['keys']
  const checks = kinds.map((kind, no) => ({ no, kind, rowStart: 0, rowEnd: shape.rows }))
  return [
    ...checks,
    ...ranges.map((range, at) => ({ no: checks.length + at, kind: 'rows' as const, ...range })),
  ]
}

/** The byte ranges of the file that hold some rows of some columns, as the footer gives them: end exclusive. */
export async function chunkRanges(
  duckdb: Duckdb,
  path: string,
  {
    shape,
    rowStart,
    rowEnd,
    columns,
  }: { shape: FileShape; rowStart: number; rowEnd: number; columns: string[] },
): Promise<{ start: number; end: number }[]> {
  const groups = rowGroupsOf(shape, rowStart, rowEnd)
  if (!groups || columns.length === 0) return []
  const rows = await duckdb.query<{ start: bigint; end: bigint }>(
    columnRangesSql(path, { ...groups, columns }),
  )
  return rows.map((row) => ({ start: Number(row.start), end: Number(row.end) }))
}

function rowGroupsOf(
  shape: FileShape,
  rowStart: number,
  rowEnd: number,
): { first: number; last: number } | undefined {
  let first: number | undefined
  let last = 0
  let at = 0
  for (const [no, group] of shape.rowGroups.entries()) {
    if (at < rowEnd && at + group.rows > rowStart) {
      first ??= no
      last = no
    }
    at += group.rows
  }
  return first === undefined ? undefined : { first, last }
}
