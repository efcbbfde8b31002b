import duckdb, { type DataChunk } from '@duckdb/node-bindings'
import type { Duckdb } from '../db/duckdb.ts'
import type { FittedColumn } from './fit.ts'
import {
  guardLength,
  LARGE_VALUE,
  largestRowSql,
  type LocalRows,
  readRowsSql,
  type Text,
} from './sql-duckdb.ts'

/** A text longer than this is large: 2,048 rows of it, two chunks at a time, are 512 MB for each column. */
const LARGE_BYTES = 128 * 1024

/** What a slice of rows with large texts may take at once. */
const SLICE_BYTES = 32 * 1024 * 1024

/**
 * Reads rows in the order of the file. DuckDB hands out 2,048 rows at a time with all their texts in memory,
 * whatever its memory_limit says: 36 kB of parquet, 20,000 texts of 1 MB, took 19 GB. So each text's length is
 * looked at before it is unpacked (about 3 % of a read), and from the first large one on the rows are read in
 * slices that fit into memory.
 */
export async function* readRows(
  duck: Duckdb,
  rows: LocalRows,
  columns: FittedColumn[],
): AsyncGenerator<DataChunk, void, void> {
  const texts = columns.flatMap((column) => textOf(column) ?? [])
  const guarded = columns.map((column) => {
    const text = textOf(column)
    return text ? guardLength(text, LARGE_BYTES) : column.expression
  })
  const { rowEnd } = rows
  let at = rows.rowStart
  try {
    for await (const chunk of duck.stream(readRowsSql(rows, guarded))) {
      at += duckdb.data_chunk_get_size(chunk)
      yield chunk
    }
    return
  } catch (error) {
    if (!isLarge(error)) throw error
  }
  const rest = { ...rows, rowStart: at }
  const [row] = await duck.query<{ bytes: bigint | null }>(largestRowSql(rest, texts))
  const step = Math.max(1, Math.floor(SLICE_BYTES / Number(row?.bytes ?? SLICE_BYTES)))
  const expressions = columns.map((column) => column.expression)
  for (; at < rowEnd; at += step) {
    const slice = { ...rows, rowStart: at, rowEnd: Math.min(at + step, rowEnd) }
    yield* duck.stream(readRowsSql(slice, expressions))
  }
}

function textOf({ column, expression }: FittedColumn): Text | undefined {
  const { kind } = column.type
  const isText =
    kind === 'text' || kind === 'varchar' || kind === 'char' || kind === 'jsonb' || kind === 'bytea'
  return isText ? { expression, binary: kind === 'bytea' } : undefined
}

function isLarge(error: unknown): boolean {
  return error instanceof Error && error.message.includes(LARGE_VALUE)
}
